import type { Channel } from './channel.js';
import type { LogEntry } from './log-entry.js';

/** Where a reader's history ended. */
export interface HistoryEnd {
  /** The position of the last event that history gave. */
  readonly position: string;
  /** `log.head` when the last page was requested. History has given every event up to there. */
  readonly covered: number;
}

/**
 * Where a reader goes on in the log after its history.
 *
 * - a number: after the entry with this number
 * - an entry: this reset comes first. History may have given the entries after it as well.
 * - `behind`: the log has dropped entries that the reader lacks; read more history
 * - `unordered`: the source cannot compare the positions
 */
export type Join = number | LogEntry | 'behind' | 'unordered';

/** @param seq the number of the last entry that the reader does not need from the log */
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
    // A reset from before the last page was requested does not concern this reader.
    if (!entry.gap || entry.seq > covered) {
      const order = history!.compare(entry.position, position);
      if (Number.isNaN(order)) {
        return 'unordered';
      }
      if (entry.gap && order < 0 && entry.gap !== 'failover') {
        return entry;
      }
      // After a failover, even earlier positions may belong to another history.
      if (order > 0 || entry.gap) {
        return at;
      }
    }
    at++;
  }
  return at;
}
