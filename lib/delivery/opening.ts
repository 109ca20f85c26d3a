import { MAX_TIMER_MS } from '../channel/clock.js';
import { frameOf } from './frame.js';

/**
 * How a new client learns its position.
 *
 * - `event`: from an event named `sse:open`, whose id every client keeps.
 * - `frame`: from an `id:` without data. By the standard a client keeps the id and fires nothing,
 * but
 *   Firefox, WebKit and most clients of npm keep the ids of events only.
 */
export type Opening = 'event' | 'frame';

/** The `type` of the event that `opening: 'event'` sends. */
export const OPEN_TYPE = 'sse:open';

/** The `type` of the event that names the channels that the client may not read. */
const DENIED_TYPE = 'sse:denied';

/** The `type` of the event that tells a set of channels that has changed. */
export const CHANNELS_TYPE = 'sse:channels';

/** The `data` of a `sse:open` event. */
export interface SseOpen {
  /** The names of the channels that the stream brings. */
  readonly channels: readonly string[];
  /**
   * The channel behind each label of the stream's event ids (`<label>:<position>,…`); empty where
   * ids are the positions of one channel, without a label.
   */
  readonly labels: Readonly<Record<string, string>>;
}

/** The `data` of a `sse:channels` event: the new set. */
export type SseChannels = SseOpen;

/** The `data` of a `sse:denied` event. */
export interface SseDenied {
  /** The names of channels that the client may not read. */
  readonly channels: readonly string[];
}

/** The content of the opening frame. */
export interface OpeningPlace extends SseOpen {
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
  const data = opening === 'event' ? placeText({ channels, labels }) : undefined;
  return firstFrame(spread, id, data);
}

/** The text of `sse:open` and `sse:channels`. */
export function placeText({ channels, labels }: SseOpen): string {
  const open: SseOpen = { channels, labels };
  return JSON.stringify(open);
}

/** Tells the client which channels it may not read; empty when there are none. */
export function deniedFrame(channels: readonly string[]): string {
  return channels.length === 0 ? '' : frameOf(deniedEvent(channels));
}

export function deniedEvent(channels: readonly string[]): { type: string; data: string } {
  return { type: DENIED_TYPE, data: JSON.stringify({ channels } satisfies SseDenied) };
}

/** The only frame of a response: after how many milliseconds to return. */
export function awayFrame(retry: number): string {
  return firstFrame(Math.round(retry));
}

/**
 * When a connection breaks inside a frame, WebKit keeps the part that it has received, up to the
 * middle of a line, and reads the next response as the rest; `eventsource` 1 and 2 keep the whole
 * lines. So the first line of a response may become the end of another line. It is `retry:`, which
 * a client can miss. It is not blank, since a blank line would fire the part as an event. The type
 * in the second line makes the part arrive as `sse:open`, before the frame's own data. A frame
 * without data fires no event.
 */
function firstFrame(retry: number, id?: string, data?: string): string {
  return `retry: ${retry}\n${frameOf({ type: OPEN_TYPE, data, id })}`;
}
