import type { SseJoin, SseLeave } from './channel/presence.js';
import type { SseReset } from './channel/reset-reason.js';
import type { SseEnd } from './delivery/end-frame.js';
import type { SseChannels, SseDenied, SseOpen } from './delivery/opening.js';
import type { SseSnapshot } from './delivery/snapshot-cursor.js';
import type { SseRunError, SseRunStopped } from './runs/sse-run.js';

/** The `data`, as an object, of each event that this module sends by itself, by the event's type. */
export interface SseEventMap {
  readonly 'sse:open': SseOpen;
  readonly 'sse:channels': SseChannels;
  readonly 'sse:denied': SseDenied;
  readonly 'sse:reset': SseReset;
  readonly 'sse:snapshot': SseSnapshot;
  readonly 'sse:join': SseJoin;
  readonly 'sse:leave': SseLeave;
  readonly 'sse:end': SseEnd;
  readonly 'sse:error': SseRunError;
  readonly 'sse:stopped': SseRunStopped;
}
