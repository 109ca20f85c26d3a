import type { Channel } from './channel.js';
import { RESET_TYPE } from './sse-event.js';

/** What a reader has read of a history up to its last page. */
export interface HistoryEnd {
  /** Everything up to this position. */
  readonly position: string;
  /** The head of the log when the last page was asked for: what stood there then was given. */
  readonly covered: number;
}

/**
 * Finds the place in the log after what history has given.
 *
 * @param seq the number of an entry up to which the reader needs nothing of the log
 * @returns the number of the last entry that history has given; `behind` when the log has moved
 * on, so that history has to be read on; `unordered` when the source cannot say what comes first
 */
export function joinLog(
  { log, history }: Channel,
  { position, covered }: HistoryEnd,
  seq: number,
): number | 'behind' | 'unordered' {
  let at = seq;
  if (at < log.first - 1) {
    if (covered < log.first - 1) {
      return 'behind';
    }
    at = log.first - 1;
  }
  while (at < log.head) {
    const entry = log.at(at + 1);
    if (entry.type === RESET_TYPE) {
      // One that came after the last page was asked for is news, wherever it stands.
      if (entry.seq > covered) {
        break;
      }
    } else {
      const order = history!.compare(entry.position, position);
      if (Number.isNaN(order)) {
        return 'unordered';
      }
      if (order > 0) {
        break;
      }
    }
    at++;
  }
  return at;
}
