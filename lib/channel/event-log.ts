import { monotonicNow } from './clock.js';
import { LocalPositions } from './local-positions.js';
import { LogBase } from './log-base.js';
import { LogEntry } from './log-entry.js';
import { LogIndex, type Located } from './log-index.js';
import { nextAfter, plainPosition } from './start-position.js';
import type { ResetReason, SourceEvent } from './source.js';

/** How much of a channel stays readable for clients that return or fall behind. */
export interface RetainLimits {
  /** Events per channel. */
  readonly events: number;
  /** Bytes of event data per channel. */
  readonly bytes: number;
  /** Milliseconds. */
  readonly age: number;
}

/** How long attached cursors can still read an entry that has left the window. */
const GRACE_MS = 10_000;
/** All readable entries together take at most this many times the retained bytes. */
const GRACE_FACTOR = 16;
/** Entries kept past the window before the log first checks whether a cursor still needs them. */
const GRACE_CHECK = 1_024;

/** The log's note of its newest event, which it keeps longer than the event. */
export interface AppendedEvent {
  readonly position: string;
  readonly id: string;
}

/**
 * The events of one channel in order. Each entry has a number, its `seq`.
 *
 * ```
 *                  first        retained         head
 *                    │              │              │
 *     39   40   │   41   42   43   44   45   46   47
 *     dropped   │   the grace     │   the window
 *          base: 43, as a client that comes back to 43 goes on with the window
 * ```
 *
 * The limits bound the window: a client that comes back can go on from any place in it. A burst may
 * exceed the window in one turn of the event loop, and a reader whose socket takes the burst piece by
 * piece must not count as slow. So cursors that are attached now can read the grace as well. An entry
 * of the grace is dropped once every cursor has read it, or after `GRACE_MS`.
 */
export class EventLog {
  private entries: LogEntry[] = [];
  /** The index of `first` in `entries`. Those before it are dropped, and sliced off from time to time. */
  private start = 0;
  /** The newest event, retained or not; `undefined` after a failover, which may have lost it. */
  newest: AppendedEvent | undefined;
  /** The number of the newest entry; 0 before the first. */
  head = 0;
  /** The number of the oldest entry that attached cursors can still read. */
  first = 1;
  /** The number of the oldest entry in the window: the earliest that a returning client receives. */
  retained = 1;
  /** Bytes of all entries from `first` on. */
  private readableBytes = 0;
  /** Bytes of all entries from `retained` on. */
  private retainedBytes = 0;
  private readonly local = new LocalPositions();
  private readonly base = new LogBase(this.local.of(0));
  private readonly index = new LogIndex(this);
  private isLocal = true;
  /** Entries kept past the window before the log checks whether a cursor still needs them. */
  private graceCheck = GRACE_CHECK;

  /** @param slowest the number of the last entry that every cursor has read; slow, so called seldom */
  constructor(
    private readonly limits: RetainLimits,
    private readonly slowest: () => number,
  ) {}

  /** The position of the newest event; `undefined` while the source has not told its own. */
  get headPosition(): string | undefined {
    return this.entries.length > this.start
      ? this.entries[this.entries.length - 1]!.position
      : this.base.position;
  }

  /** How many events are retained. */
  get size(): number {
    return this.head - this.retained + 1;
  }

  /** The approximate size of the retained events in bytes. */
  get bytes(): number {
    return this.retainedBytes;
  }

  /** Whether an id is a position that this log gives. */
  numbers(id: string): boolean {
    return this.local.numberOf(id) !== undefined;
  }

  /** Starts after a position of the source's own, in place of the log's numbering. */
  startAfter(position: string): void {
    this.isLocal = false;
    this.base.startAfter(position);
  }

  /**
   * @param gap the reason, for a reset that is no event of the source: it stands behind one that clients may lack
   */
  append(
    event: SourceEvent,
    gap?: ResetReason,
    now = monotonicNow(),
    given = event.position,
  ): LogEntry {
    const seq = ++this.head;
    const position = given ?? this.local.of(seq);
    this.isLocal &&= given === undefined;
    const resumeAt = gap ? nextAfter(position, this.local.of(seq)) : position;
    const entry = new LogEntry(seq, position, event, now, resumeAt, gap);
    this.entries.push(entry);
    if (!gap) {
      this.newest = { position, id: entry.id };
    } else if (gap === 'failover') {
      this.newest = undefined;
    }
    this.readableBytes += entry.size;
    this.retainedBytes += entry.size;
    this.index.note(entry);
    this.trim(now);
    return entry;
  }

  /** Retains only the newest entry for clients that return. */
  restart(): void {
    while (this.retained < this.head) {
      this.release();
    }
  }

  /** The entry with this number, which must be between `first` and `head`. */
  at(seq: number): LogEntry {
    return this.entries[this.start + seq - this.first]!;
  }

  /**
   * Whether the event with this number, where a returning client stands, ended its run;
   * `undefined` when only the source's history knows.
   */
  endsAt(seq: number): boolean | undefined {
    return seq >= this.retained ? this.at(seq).end : this.base.end;
  }

  /** The position of a client that has received the event with this number, if known. */
  positionAt(seq: number): string | undefined {
    return seq >= this.first
      ? this.at(seq).resumeAt
      : seq === this.retained - 1
        ? this.base.resumeAt
        : undefined;
  }

  /** The position of a client that starts after an event that it has not received. */
  startingPosition(seq: number): string | undefined {
    const position = this.positionAt(seq);
    const isEnd = seq >= this.first ? this.at(seq).end : this.base.end;
    return position === undefined || isEnd === false ? position : nextAfter(position);
  }

  /** Notes whether the event at a position ended its run, as the source's history tells. */
  noteEnd(position: string, isEnd: boolean): void {
    if (position === this.base.position) {
      this.base.end = isEnd;
    }
  }

  /** Finds where a returning client stands. `compare` orders the source's own positions. */
  locate(id: string, compare?: (a: string, b: string) => number): Located {
    this.trim(monotonicNow());
    const known = this.index.entryOf(id);
    if (known !== undefined) {
      return known;
    }
    const position = plainPosition(id);
    if (this.head >= this.retained && position === this.at(this.head).resumeAt) {
      return this.head;
    }
    if (this.base.isAt(id)) {
      return this.retained - 1;
    }
    return this.isLocal ? this.locateLocal(position) : this.index.locate(position, compare);
  }

  /** Drops the entries that exceed the limits. */
  trim(now: number): void {
    const { events, bytes, age } = this.limits;
    while (
      this.retained <= this.head &&
      (this.head - this.retained >= events ||
        this.retainedBytes > bytes ||
        now - this.at(this.retained).time > age)
    ) {
      this.release();
    }
    const read = this.readByAll();
    while (
      this.first < this.retained &&
      (this.first <= read ||
        now - this.at(this.first).time > GRACE_MS ||
        // The newest entry stays, however large, until its readers have been woken.
        (this.readableBytes > bytes * GRACE_FACTOR && this.first < this.head))
    ) {
      this.readableBytes -= this.at(this.first).size;
      this.first++;
      this.start++;
    }
    // Splicing only once half of the array is dead keeps the cost per event constant.
    if (this.start > 32 && this.start * 2 >= this.entries.length) {
      this.entries = this.entries.slice(this.start);
      this.start = 0;
    }
  }

  /** The last entry that every attached cursor has read; 0 while too few entries wait to check. */
  private readByAll(): number {
    const beyond = this.retained - this.first;
    if (beyond < this.graceCheck) {
      return 0;
    }
    const read = this.slowest();
    const kept = this.retained - Math.max(this.first, Math.min(read + 1, this.retained));
    // Checking again only at twice as many entries keeps the cost per event constant.
    this.graceCheck = Math.max(GRACE_CHECK, kept * 2);
    return read;
  }

  private release(): void {
    const entry = this.at(this.retained);
    this.retainedBytes -= entry.size;
    this.base.moveTo(entry);
    this.retained++;
    this.index.forget(entry);
  }

  private locateLocal(position: string): Located {
    const seq = this.local.numberOf(position);
    if (seq === undefined || seq > this.head) {
      return 'unknown-position';
    }
    return seq < this.retained - 1 ? 'trimmed' : seq;
  }
}
