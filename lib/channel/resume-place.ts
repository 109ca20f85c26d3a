import type { Channel } from './channel.js';
import type { HistoryStart } from './history-reading.js';
import type { ResetReason } from './source.js';
import { EARLIEST, isNextAfter, plainPosition } from './start-position.js';

/** Where the log goes on for a client that returns. */
export interface LogPlace {
  /** Behind the event with this number. */
  readonly seq: number;
  /** The position of the client there; `undefined` while that is unknown. */
  readonly position: string | undefined;
  /** Whether that event ended its run, and the client has received it. */
  readonly hasEnded: boolean;
}

/** Where a client that returns goes on: in the log, in the history, or after a reset. */
export type ResumePlace = LogPlace | HistoryStart | ResetReason;

/** Finds where a client goes on that returns with `lastEventId`. */
export function resumePlace({ log, history }: Channel, lastEventId: string): ResumePlace {
  if (lastEventId === EARLIEST) {
    return history
      ? { position: undefined, isOfSource: true, mayHaveEnded: false }
      : { seq: log.retained - 1, position: undefined, hasEnded: false };
  }
  const located = log.locate(lastEventId, history?.compare);
  const isNext = isNextAfter(lastEventId);
  if (typeof located === 'number') {
    const isEnd = isNext ? false : log.endsAt(located);
    // Whether the event before the log's first one ended its run, history knows.
    if (isEnd !== undefined || !history) {
      const position = isNext ? lastEventId : log.positionAt(located);
      return { seq: located, position, hasEnded: isEnd === true };
    }
  }
  if (history) {
    const position = plainPosition(lastEventId);
    return { position, isOfSource: false, mayHaveEnded: !isNext };
  }
  return located === 'trimmed' ? located : 'unknown-position';
}
