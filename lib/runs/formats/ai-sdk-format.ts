import type { RunChunk } from '../../channel/runs.js';
import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import { textOf } from '../../channel/value-text.js';
import type { Dialect } from '../../delivery/dialect.js';
import type { RunFailure, RunFormat } from './run-format.js';

/** The end of a stream of the AI SDK. */
const DONE = '[DONE]';

/**
 * The UI message stream of the AI SDK (npm's `ai`), which its `useChat()` and `DefaultChatTransport` read.
 * https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol
 */
export class AiSdkFormat implements RunFormat {
  readonly bytesAs = 'frames';
  readonly dialect: Dialect = {
    headers: { 'x-vercel-ai-ui-message-stream': 'v1' },
    reset: [errorOf('A part of the message is missing.'), DONE],
  };

  chunks(value: unknown): readonly RunChunk[] {
    checkChunk(value);
    return [{ data: textOf(value) }];
  }

  completed(): readonly RunChunk[] {
    return [{ data: DONE, end: true }];
  }

  stopped(reason: string | undefined): readonly RunChunk[] {
    return [{ data: JSON.stringify({ type: 'abort', reason }) }, ...this.completed()];
  }

  failed({ message }: RunFailure): readonly RunChunk[] {
    return [{ data: errorOf(message) }, ...this.completed()];
  }
}

function errorOf(errorText: string): string {
  return JSON.stringify({ type: 'error', errorText });
}

/** Clients fail at a chunk that they do not know, and tell nobody why. */
function checkChunk(value: unknown): void {
  const { type, delta } = Object(value) as { type?: unknown; delta?: unknown };
  if (typeof type !== 'string') {
    throw new SseError(
      'INVALID_EVENT',
      `The source of a run gave ${kindOf(value)}${typeof value === 'object' && value ? ' without a `type`' : ''}, and ` +
        "`format: 'ai-sdk'` takes the chunks of a UI message stream. Give `result.toUIMessageStream()`.",
    );
  }
  if ((type === 'text-delta' || type === 'reasoning-delta') && typeof delta !== 'string') {
    throw new SseError(
      'INVALID_EVENT',
      `The source of a run gave a ${type} without a \`delta\`: a part of \`result.fullStream\`, it seems. ` +
        "`format: 'ai-sdk'` takes the chunks of a UI message stream. Give `result.toUIMessageStream()`.",
    );
  }
}
