import { SseClientError } from './client-error.js';
import type { Ending } from './upstream.js';

/** How a connection ended: by a status that is no stream, by an error, or in order. */
export interface ConnectionEnd {
  /** The status of an answer. */
  readonly status?: number;
  /** What was wrong, if it is not the status. */
  readonly text?: string;
  /** What the platform threw. */
  readonly cause?: unknown;
  /** Whether another attempt would end alike. Default: by the status */
  readonly isFinal?: boolean;
  /** What the server's `Retry-After` says, in milliseconds. It may be no number. */
  readonly after?: number;
}

/** Answers of the 4xx that are not about this client. */
const FOR_NOW = new Set([408, 425, 429]);

/**
 * What the end of a connection means for its channels: they are over, or it is worth another attempt.
 *
 * @param reason why the server has ended the stream before it, or this one, if it has said so
 * @param wasOpen whether the connection has been open
 */
export function meaningOf(
  { status = 0, text, cause, isFinal = status === 204 || isRefusal(status) }: ConnectionEnd,
  reason: string | undefined,
  wasOpen: boolean,
): { how?: Ending; error?: SseClientError } {
  const isOver = status === 204;
  // A client that was sent away is answered so for a while.
  if (isOver && reason !== 'revoked') return { how: 'onEnd' };
  const message =
    text ??
    (status && !isOver
      ? `The answer is ${status}.`
      : reason
        ? `The server has ended the stream: ${reason}.`
        : !wasOpen && 'The stream has ended before it was open.');
  return {
    ...(isFinal && { how: status === 403 ? 'onDenied' : 'onError' }),
    ...(message && {
      error: new SseClientError(message, { status: status || undefined, reason, isFinal }, cause),
    }),
  };
}

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && !FOR_NOW.has(status);
}
