import type { Channel } from './channel.js';
import type { LogEntry } from './log-entry.js';

/** What a reader has read of a history up to its last page. */
export interface HistoryEnd {
  /** Everything up to this position. */
  readonly position: string;
  /** The head of the log when the last page was asked for: what stood there then was given. */
  readonly covered: number;
}

/**
 * Where the log goes on after what history has given.
 *
 * - a number: after the entry with this number
 * - an entry: a reset comes first. What follows it in the log may have been given as well.
 * - `behind`: the log has moved on, so that history has to be read on
 * - `unordered`: the source cannot say what comes first
 */
export type Join = number | LogEntry | 'behind' | 'unordered';

/** @param seq the number of an entry up to which the reader needs nothing of the log */
export function joinLog(
  { log, history }: Channel,
  { position, covered }: HistoryEnd,
  seq: number,
): Join {
  let at = seq;
  if (at < log.first - 1) {
    if (covered < log.first - 1) {
      return 'behind';
    }
    at = log.first - 1;
  }
  while (at < log.head) {
    const entry = log.at(at + 1);
    // A reset that was announced before the last page was asked for is none for this reader.
    if (!entry.gap || entry.seq > covered) {
      const order = history!.compare(entry.position, position);
      if (Number.isNaN(order)) {
        return 'unordered';
      }
      if (entry.gap && order < 0 && entry.gap !== 'failover') {
        return entry;
      }
      // After a failover even what stands before may be of another history.
      if (order > 0 || entry.gap) {
        return at;
      }
    }
    at++;
  }
  return at;
}
