import { MAX_TIMER_MS } from '../channel/clock.js';
import { frameOf } from './frame.js';

/**
 * How a new connection is told its position.
 *
 * - `event`: an event named `sse:open`. Every client keeps its id.
 * - `frame`: an `id:` without data. By the standard a client keeps the id and fires nothing, but
 *   Firefox, WebKit and most clients of npm keep the ids of events only.
 */
export type Opening = 'event' | 'frame';

/** The `type` of the event that `opening: 'event'` sends. */
export const OPEN_TYPE = 'sse:open';

/** The `data` of a `sse:open` event. */
export interface OpenData {
  /** The names of the channels that the stream brings. */
  readonly channels: readonly string[];
  /**
   * The channel behind each label of the stream's event ids (`<label>:<position>,…`); empty where
   * ids are the positions of one channel, without a label.
   */
  readonly labels: Readonly<Record<string, string>>;
}

/** What a client is told first, beside when to return. */
export interface OpeningPlace extends OpenData {
  /** The position it starts at; `undefined` when there is none yet. */
  readonly id: string | undefined;
}

/**
 * The first frame of a stream: when to return, and from where. The reconnection time is spread by
 * half to either side, so that clients that lose their server in one moment do not return in one.
 */
export function openingFrame(
  opening: Opening,
  retry: number,
  { id, channels, labels }: OpeningPlace,
): string {
  const spread = Math.min(MAX_TIMER_MS, Math.round(retry * (0.5 + Math.random())));
  const open: OpenData = { channels, labels };
  const data = opening === 'event' ? JSON.stringify(open) : undefined;
  return firstFrame(spread, id, data);
}

/** The only frame of a response: after how many milliseconds to return. */
export function awayFrame(retry: number): string {
  return firstFrame(Math.round(retry));
}

/**
 * When a connection breaks inside of a frame, WebKit keeps the part that came, up to the middle
 * of a line, and reads the next response as what follows; `eventsource` 1 and 2 keep the whole
 * lines. So the first line may become the end of another one: it is one that may be missed, and
 * not empty, as that would hand the part over as an event. The type that follows makes the part
 * arrive as `sse:open`, before the frame's own data. A frame without any data is no event.
 */
function firstFrame(retry: number, id?: string, data?: string): string {
  return `retry: ${retry}\n${frameOf({ type: OPEN_TYPE, data, id })}`;
}
