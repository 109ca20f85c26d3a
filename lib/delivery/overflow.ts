import type { SseEvent } from '../channel/sse-event.js';

/** What happens to a client that reads so slowly that its next event is no longer retained. */
export type Overflow = 'reset' | 'disconnect' | LatestOnly;

/** From the moment a client lags, it receives only the newest event of each key. */
export interface LatestOnly {
  /** The key of an event. Events with the same key replace each other. */
  readonly latest: (event: SseEvent) => string;
}
