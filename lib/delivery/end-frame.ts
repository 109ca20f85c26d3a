import type { EndReason } from './end-reason.js';
import { frameOf } from './frame.js';

/** The `type` of the event that tells that a stream has ended because of who its client is. */
const END_TYPE = 'sse:end';

/** The `data` of a `sse:end` event, the last of a stream. */
export interface SseEnd {
  /** `revoked`: the application has ended the stream. `expired`: the client's permission has ended. */
  readonly reason: 'revoked' | 'expired';
}

/**
 * The last frame of a stream: after how many milliseconds to return. It says why the stream has ended
 * where that is about the client, which may want to log in again. After any other end it need not know.
 */
export function endFrame(reason: EndReason, retry: number): string {
  return reason === 'revoked' || reason === 'expired'
    ? frameOf({ type: END_TYPE, retry, data: JSON.stringify({ reason } satisfies SseEnd) })
    : frameOf({ retry });
}
