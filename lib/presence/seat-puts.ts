import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../channel/backoff.js';
import { LimitedLog } from '../channel/limited-log.js';
import { Outage } from '../channel/outage.js';
import type { PresenceStore } from '../channel/presence.js';
import { reasonOf } from '../channel/reason.js';
import { isReported } from '../channel/reported.js';
import type { SseLogger } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import type { Seat } from './seat.js';

/** The most seats of a call, and the most calls at a time. */
const CALL_SEATS = 500;
const MOST_CALLS = 4;
const RETRY = { first: 100, most: 5_000 };

/** Brings seats that have changed to the store, many in one call, until the store has them. */
export class SeatPuts {
  /** Changed, and in no call. */
  private readonly due = new Set<Seat>();
  /** In a call; true for those that have changed since it began. */
  private readonly underWay = new Map<Seat, boolean>();
  private calls = 0;
  private revision = 0;
  private flush: NodeJS.Immediate | undefined;
  private readonly stopped = new AbortController();
  private readonly outage: Outage;
  private readonly mistakes: SseLogger;

  constructor(
    private readonly store: PresenceStore,
    private readonly owner: {
      /** How many connections a seat has to be put with. */
      countOf(seat: Seat): number;
      /** The store has the seat as it is. */
      onPut(seat: Seat): void;
    },
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R,
    log: SseLogger,
  ) {
    this.outage = new Outage(log, 'presence');
    this.mistakes = new LimitedLog(log);
  }

  /** Puts a seat soon, as it will be then. */
  add(seat: Seat): void {
    if (this.underWay.has(seat)) {
      this.underWay.set(seat, true);
    } else {
      this.due.add(seat);
      this.schedule();
    }
  }

  stop(): void {
    this.stopped.abort();
    clearImmediate(this.flush);
  }

  private schedule(): void {
    if (this.due.size > 0 && this.calls < MOST_CALLS && !this.stopped.signal.aborted) {
      this.flush ??= this.detach(() => setImmediate(() => this.makeCalls()));
    }
  }

  private makeCalls(): void {
    this.flush = undefined;
    while (this.due.size > 0 && this.calls < MOST_CALLS) {
      const seats: Seat[] = [];
      for (const seat of this.due) {
        if (seats.push(seat) === CALL_SEATS) {
          break;
        }
      }
      for (const seat of seats) {
        this.due.delete(seat);
        this.underWay.set(seat, false);
        seat.connections = this.owner.countOf(seat);
        seat.revision = ++this.revision;
      }
      this.calls++;
      void this.put(seats);
    }
  }

  private async put(seats: readonly Seat[]): Promise<void> {
    const { signal } = this.stopped;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.store.put(seats);
        this.outage.end('It is known again who is present.');
        break;
      } catch (error) {
        if (signal.aborted || !this.isWorthAnother(error)) {
          break;
        }
        await sleep(backoff(attempt, RETRY), undefined, { signal }).catch(() => undefined);
      }
    }
    this.calls--;
    for (const seat of seats) {
      const hasChanged = this.underWay.get(seat)!;
      this.underWay.delete(seat);
      if (hasChanged) {
        this.due.add(seat);
      } else {
        this.owner.onPut(seat);
      }
    }
    this.schedule();
  }

  private isWorthAnother(error: unknown): boolean {
    const text = `Who is present here was not accepted: ${reasonOf(error)}`;
    if (error instanceof SseError && error.code !== 'UNAVAILABLE') {
      this.mistakes.error(text);
      return false;
    }
    if (!isReported(error)) {
      this.outage.begin(text);
    }
    return true;
  }
}
