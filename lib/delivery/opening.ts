import { frameOf } from './frame.js';

/**
 * How a new connection is told its position.
 *
 * - `frame`: an `id:` without data. By the standard a client keeps the id and fires nothing.
 * - `event`: an event named `sse:open`, for clients that keep the ids of events only.
 */
export type Opening = 'frame' | 'event';

/** The `type` of the event that `opening: 'event'` sends. */
export const OPEN_TYPE = 'sse:open';

/** The first frame of a stream: when to return, and from where. */
export function openingFrame(opening: Opening, retry: number, id: string | undefined): string {
  return opening === 'event'
    ? frameOf({ retry, id, type: OPEN_TYPE, data: '' })
    : frameOf({ retry, id });
}
