import type { RunChunk } from '../../channel/runs.js';
import { textOf } from '../../channel/value-text.js';
import type { BytesAs, RunFailure, RunFormat, RunFormatOptions } from './run-format.js';

/** The `type` of the event that tells why a run ended in the middle. */
const ERROR_TYPE = 'sse:error';
/** The `type` of the event that tells that somebody has stopped a run. */
const STOPPED_TYPE = 'sse:stopped';

/** An object that a source emits as a whole event, as with Nest's own `@Sse()`. */
interface Message {
  readonly data: unknown;
  readonly type?: unknown;
}

/** Each value is an event, as `send()` would make it; `{ data, type }` is one with a type. */
export class DefaultFormat implements RunFormat {
  readonly bytesAs: BytesAs | undefined;

  constructor(protected readonly options: RunFormatOptions) {}

  /** The data of the end. */
  protected get endData(): string {
    return this.options.doneSignal || '[DONE]';
  }

  chunks(value: unknown): readonly RunChunk[] {
    if (value === undefined) {
      return [];
    }
    const { serialize } = this.options;
    return isMessage(value)
      ? [{ data: textOf(value.data, serialize), type: value.type as string | undefined }]
      : [{ data: textOf(value, serialize) }];
  }

  completed(): readonly RunChunk[] {
    return [{ data: this.endData, end: true }];
  }

  stopped(reason: string | undefined): readonly RunChunk[] {
    return [{ type: STOPPED_TYPE, data: JSON.stringify({ reason }) }, ...this.completed()];
  }

  failed({ reason, message }: RunFailure): readonly RunChunk[] {
    return [{ type: ERROR_TYPE, data: JSON.stringify({ reason, message }) }, ...this.completed()];
  }
}

/** Whether an object has `data` and nothing but the fields of a message. */
function isMessage(value: unknown): value is Message {
  return (
    typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    Object.keys(value).every((key) => key === 'data' || key === 'type')
  );
}
