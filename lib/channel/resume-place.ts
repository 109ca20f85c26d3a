import type { Channel } from './channel.js';
import type { HistoryStart } from './history-reading.js';
import type { ResetReason } from './source.js';
import { EARLIEST, isNextAfter, plainPosition } from './start-position.js';

/** The place in the log of a client that returns. */
export interface LogPlace {
  /** The client goes on after the event with this number. */
  readonly seq: number;
  /** The client's position; `undefined` while unknown. */
  readonly position: string | undefined;
  /** Whether that event ended its run, and the client has received it. */
  readonly hasEnded: boolean;
}

/** Where a returning client goes on: in the log, in the history, or after a reset. */
export type ResumePlace = LogPlace | HistoryStart | ResetReason;

/** Finds where a client that returns with `lastEventId` goes on. */
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
    // Only history knows whether the event before the window ended its run.
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
