import type { SseEvent } from '../channel/sse-event.js';

/** What happens to a client that reads so slowly that its next event is no longer retained. */
export type OverflowPolicy = 'reset' | 'latest' | 'disconnect';

/** The policy for slow clients of one endpoint or stream. */
export type Overflow =
  | { readonly policy: 'reset' | 'disconnect' }
  | {
      readonly policy: 'latest';
      /** Events with the same key replace each other for a client that lags. */
      readonly key: (event: SseEvent) => string;
    };

/** The client is told by an `sse:reset` that it missed events. */
export const RESET_ON_OVERFLOW: Overflow = { policy: 'reset' };
