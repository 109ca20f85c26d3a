import type { RunChunk, RunStore } from '../channel/runs.js';
import { RunEvent } from '../channel/run-event.js';
import type { ChannelHistory, HistoryEvent, HistoryPage, ResetReason } from '../channel/source.js';
import type { KnownRun, LostEnd } from './known-run.js';
import { BEFORE_BEGINNING, placeOf, runPosition } from './run-position.js';

/** Finds out whether a run is lost, and sets `KnownRun.lost` if it is. */
export interface LosableRun {
  /** Called when the store gave none of `limit` chunks behind the number `after`. */
  lacks(after: number, limit: number): Promise<void>;
  /** Called when the store has lost chunks for certain. */
  lost(): void;
}

/** Reads a run's earlier chunks from the store. */
export class RunHistory implements ChannelHistory {
  constructor(
    private readonly log: Pick<KnownRun, 'run' | 'had' | 'lost'>,
    private readonly store: RunStore,
    private readonly feed: LosableRun,
    /** Whether readers are told of chunks that they miss. In a dialect that would end their stream. */
    private readonly tellsGaps: boolean,
  ) {}

  compare(a: string, b: string): number {
    const { run } = this.log;
    const [first, second] = [placeOf(a), placeOf(b)];
    const isOwn = first?.id === run.id && second?.id === run.id;
    return isOwn ? first.seq - second.seq : NaN;
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const { log } = this;
    const { id } = log.run;
    const place = position === undefined ? { id, seq: 0 } : placeOf(position);
    if (place?.id !== id) {
      return resetPage('unknown-position');
    }
    const { seq } = place;
    if (seq < 0) {
      return this.beginningAfter(seq === BEFORE_BEGINNING.trimmed ? 'trimmed' : 'unknown-position');
    }
    // The chunk at the position tells whether the client has received the end.
    const before = Math.min(seq, 1);
    const [after, most] = [seq - before, limit + before];
    let chunks = await this.store.read(log.run, after, most);
    if (!chunks) {
      await this.feed.lacks(after, most);
      chunks = log.lost ? undefined : await this.store.read(log.run, after, most);
    }
    if (!chunks) {
      return log.lost ? this.lostPage(seq, log.lost) : resetPage('trimmed');
    }
    if (chunks.length < before) {
      return resetPage('unknown-position');
    }
    const hasEnds = chunks.at(-1)?.ending !== undefined;
    const ordinary = lastOrdinary(after, chunks);
    if (hasEnds && ordinary < log.had) {
      this.feed.lost();
    }
    if (log.lost && (hasEnds || ordinary >= log.lost.after)) {
      // The end that this instance has made has taken the place of what the store tells.
      const kept = chunks.slice(
        before,
        before + Math.max(0, Math.min(ordinary, log.lost.after) - seq),
      );
      const end = this.lostPage(seq + kept.length, log.lost);
      return { ...end, events: [...eventsOf(id, seq, kept), ...end.events] };
    }
    const events = eventsOf(id, seq, chunks.slice(before));
    log.had = Math.max(log.had, ordinary);
    return {
      events,
      last: events.length < limit || events.at(-1)!.end === true,
      ended: before > 0 && chunks[0]!.end === true,
    };
  }

  /** What follows a chunk in a run that the store has lost: the end, which tells of that. */
  private lostPage(seq: number, { after, chunks }: LostEnd): HistoryPage {
    const { id } = this.log.run;
    const from = Math.max(seq, after);
    const events: HistoryEvent[] = eventsOf(id, from, chunks.slice(from - after));
    if (seq < after && this.tellsGaps) {
      events.unshift({ position: runPosition(id, after), data: '', reset: 'trimmed' });
    }
    return { events, last: true, ended: from - after >= chunks.length };
  }

  private beginningAfter(reset: ResetReason): HistoryPage {
    const event: HistoryEvent = { position: runPosition(this.log.run.id, 0), data: '', reset };
    return { events: [event], last: false };
  }
}

/** The number of the last of these chunks that a call of `end()` has not added; the first has the number `after + 1`. */
export function lastOrdinary(after: number, chunks: readonly RunChunk[]): number {
  return after + chunks.length - (chunks[chunks.length - 1]?.ending ?? 0);
}

/** The events of chunks that follow the chunk with the number `after`. */
function eventsOf(id: string, after: number, chunks: readonly RunChunk[]): RunEvent[] {
  const prefix = runPosition(id, '');
  return chunks.map((chunk, index) => new RunEvent(prefix + (after + index + 1), chunk));
}

function resetPage(reset: ResetReason): HistoryPage {
  return { events: [], last: true, reset };
}
