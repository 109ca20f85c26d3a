import type { Channel } from './channel.js';
import { monotonicNow } from './clock.js';
import type { CheckedHistory } from './checked-history.js';
import type { CursorState } from './cursor-state.js';
import { HistoryReading, type HistoryStart } from './history-reading.js';
import { LogEntry } from './log-entry.js';
import { joinLog, type HistoryEnd } from './log-join.js';
import { resumePlace } from './resume-place.js';
import { resetEvent } from './reset-event.js';
import type { ResetReason, SourceEvent } from './source.js';
import { nextAfter, plainPosition } from './start-position.js';

/** One reader's place in one channel. */
export class Cursor {
  /** True when the client has returned after the end of its run and gets nothing more. */
  hasEnded = false;
  /** The number of the last event read from the log. */
  seq: number;
  /** Why the client must be told next that events may be missing. */
  resetReason: ResetReason | undefined;
  /** The position the client would return with; `undefined` or empty for none. */
  position: string | undefined;
  protected page: readonly LogEntry[] = NO_ENTRIES;
  protected pageIndex = 0;
  protected history: HistoryReading | undefined;
  /** The end of the history that was read, until the cursor has found its place in the log. */
  protected joining: HistoryEnd | undefined;

  constructor(
    readonly channel: Channel,
    /** The reader, which the cursor pulls once history has come. */
    protected readonly owner: { pull(): void },
  ) {
    this.seq = channel.log.head;
    this.position = channel.log.startingPosition(this.seq);
    channel.places.add(this);
  }

  /**
   * Places the cursor for a client that returns with `lastEventId`, and finds out whether its run
   * has ended. Returns a promise only when that takes the source's history.
   */
  resume(lastEventId: string): void | Promise<void> {
    const place = resumePlace(this.channel, lastEventId);
    if (typeof place === 'string') {
      this.resetReason = place;
    } else if ('seq' in place) {
      this.seq = place.seq;
      this.position = place.position;
      this.hasEnded = place.hasEnded;
    } else {
      // Until history answers, the client would return with the id that it came with.
      this.position = place.position === undefined ? undefined : lastEventId;
      return this.startHistory(this.channel.history!, place);
    }
  }

  /** Whether the cursor reads from the log next, with no history or reset before. */
  get isInLog(): boolean {
    return (
      this.page.length === 0 &&
      !this.history &&
      !this.joining &&
      this.resetReason === undefined &&
      !this.hasEnded
    );
  }

  /** Says what to read next, and starts to load history where the log no longer reaches. */
  next(): CursorState {
    if (this.hasEnded) {
      return 'ended';
    }
    if (this.page.length > 0) {
      return 'page';
    }
    if (this.resetReason !== undefined) {
      return 'reset';
    }
    if (this.history) {
      return 'loading';
    }
    const { log } = this.channel;
    const joining = this.joining && this.join(this.joining);
    if (joining) {
      return joining;
    }
    if (this.seq >= log.head) {
      return 'idle';
    }
    if (this.seq >= log.first - 1) {
      return 'log';
    }
    if (this.channel.history && this.position !== undefined) {
      this.readOn(this.channel.history, this.position);
      return 'loading';
    }
    this.resetReason = 'slow-consumer';
    return 'reset';
  }

  moveTo(seq: number, position: string): void {
    this.seq = seq;
    this.position = position;
  }

  /** The entry that `take` would return, when the state is `log` or `page`. */
  peek(): LogEntry {
    return this.page.length > 0 ? this.page[this.pageIndex]! : this.channel.log.at(this.seq + 1);
  }

  /** Returns the next entry and moves past it. Call it in the states `log`, `page` and `reset`. */
  take(): LogEntry {
    if (this.page.length === 0) {
      return this.resetReason === undefined ? this.takeFromLog() : this.takeReset(this.resetReason);
    }
    const entry = this.page[this.pageIndex++]!;
    this.position = entry.resumeAt || undefined;
    if (this.pageIndex === this.page.length) {
      this.page = NO_ENTRIES;
      this.pageIndex = 0;
      // The next page is loaded, or the log takes over.
      this.history?.proceed();
    }
    return entry;
  }

  /** Makes the source's current event the first of a new client, if there is one, in place of those before. */
  startLive(): void {
    const event = this.channel.current();
    if (event) {
      this.skipToHead();
      this.page = [this.entryHere(event)];
    }
  }

  /**
   * Moves to the head, with nothing to announce. If the head ends the run that the client has
   * fallen behind in, the cursor stops before it, so that the client receives the end.
   */
  skipToHead(): void {
    const { log } = this.channel;
    const wasInRun = this.resetReason === 'slow-consumer' || this.resetReason === 'trimmed';
    this.resetReason = undefined;
    this.joining = undefined;
    const isEndAhead = wasInRun && log.head >= log.first && log.at(log.head).end;
    this.seq = isEndAhead ? log.head - 1 : log.head;
    this.position = log.startingPosition(this.seq);
  }

  close(): void {
    this.channel.places.delete(this);
    this.history?.stop();
    this.history = undefined;
  }

  private takeFromLog(): LogEntry {
    const entry = this.channel.log.at(this.seq + 1);
    this.moveTo(entry.seq, entry.resumeAt);
    return entry;
  }

  /** Moves to the head, and returns the reset that tells the client so. */
  private takeReset(reason: ResetReason): LogEntry {
    this.skipToHead();
    this.channel.noteReset(reason);
    return this.entryHere(resetEvent(this.channel.name, reason));
  }

  private entryHere(event: SourceEvent): LogEntry {
    return new LogEntry(0, this.position ?? '', event, monotonicNow());
  }

  /** Reads from history what the log no longer has. */
  private readOn(history: CheckedHistory, position: string): void {
    const from = plainPosition(position);
    void this.startHistory(history, { position: from, isOfSource: true, mayHaveEnded: false });
  }

  private startHistory(history: CheckedHistory, start: HistoryStart): Promise<void> {
    this.history = new HistoryReading(history, start, {
      begins: (position, isEnd) => {
        this.channel.log.noteEnd(position, isEnd);
        if (position !== start.position) {
          // The client has returned with the event's own id.
          this.position = start.mayHaveEnded ? position : nextAfter(position);
        }
      },
      page: (entries) => {
        this.page = entries;
      },
      end: (last, covered) => {
        this.history = undefined;
        // Another client may have requested the page before this one came.
        this.seq = Math.min(this.seq, covered);
        // After an empty history, whatever the log got since the request is new.
        this.joining = last === undefined ? undefined : { position: last, covered };
        const position = last ?? this.channel.log.positionAt(this.seq);
        // If the history was empty, the next event is the client's first.
        this.position ??= position && nextAfter(position);
      },
      ended: () => {
        this.history = undefined;
        this.hasEnded = true;
      },
      reset: (reason) => {
        this.history = undefined;
        this.resetReason = reason;
      },
      loaded: () => this.owner.pull(),
    });
    return this.history.begin();
  }

  /** Finds the place in the log after what history has given. */
  private join(end: HistoryEnd): CursorState | undefined {
    const join = joinLog(this.channel, end, this.seq);
    if (typeof join === 'number') {
      this.seq = join;
      // History may be ahead of the log: its events are dropped when they arrive there.
      this.joining = join < this.channel.log.head ? undefined : end;
      return undefined;
    }
    if (join instanceof LogEntry) {
      this.seq = join.seq;
      // The reset's own position in the log would lead the client back.
      const resumeAt = nextAfter(end.position, String(join.seq));
      const { type, data, time } = join;
      this.page = [new LogEntry(0, end.position, { type, data }, time, resumeAt)];
      return 'page';
    }
    this.joining = undefined;
    if (join === 'behind') {
      this.readOn(this.channel.history!, end.position);
      return 'loading';
    }
    this.resetReason = 'listener-gap';
    return 'reset';
  }
}

const NO_ENTRIES: readonly LogEntry[] = [];
