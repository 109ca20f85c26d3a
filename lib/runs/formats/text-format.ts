import type { RunChunk } from '../../channel/runs.js';
import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { DefaultFormat } from './default-format.js';

/** Pieces of a text. Together they are the text. */
export class TextFormat extends DefaultFormat {
  override readonly bytesAs = 'text';

  override chunk(value: unknown): RunChunk | undefined {
    if (typeof value !== 'string') {
      throw new SseError(
        'INVALID_EVENT',
        `The source of a run gave ${kindOf(value)}, and \`format: 'text'\` takes strings and bytes. Give text, ` +
          "or set `format: 'json'`.",
      );
    }
    return value === '' ? undefined : { data: value };
  }
}
