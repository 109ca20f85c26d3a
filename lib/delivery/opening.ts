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

/** The longest reconnection time in milliseconds: what a browser's timer can wait. */
const MAX_RETRY_MS = 2 ** 31 - 1;

/**
 * The first frame of a stream: when to return, and from where. The reconnection time is spread by
 * half to either side, so that clients that lose their server in one moment do not return in one.
 */
export function openingFrame(
  opening: Opening,
  retry: number,
  { id, channels, labels }: OpeningPlace,
): string {
  const spread = Math.min(MAX_RETRY_MS, Math.round(retry * (0.5 + Math.random())));
  const data: OpenData = { channels, labels };
  return opening === 'event'
    ? frameOf({ retry: spread, id, type: OPEN_TYPE, data: JSON.stringify(data) })
    : frameOf({ retry: spread, id });
}
