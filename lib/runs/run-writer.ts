import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../channel/backoff.js';
import { monotonicNow } from '../channel/clock.js';
import { reasonOf } from '../channel/reason.js';
import type { AppendResult, LocalRun, NewRun, RunChunk } from '../channel/runs.js';
import { STORE_RETRY, type RunServices } from './run-services.js';
import type { RunTurns } from './run-turns.js';

/** Bytes of chunks that may wait for the store before a source that can wait is paused. */
const MAX_WAITING_BYTES = 262_144;
/** How many chunks may wait: they may be without data. */
const MAX_WAITING_CHUNKS = 16_384;
/**
 * The most chunks, and about the most bytes, of one append. A source may give any number in one turn, and
 * systems bound what one call may have.
 */
const APPEND_CHUNKS = 512;
const APPEND_BYTES = 524_288;
/** How often the lease is renewed within its time. */
const RENEWALS = 3;

/** What becomes of a run, beside what its own instance does. */
export interface RunOwner {
  /** Somebody else has ended the run. */
  endedByOthers(): void;
  /** The run is lost: nothing could be stored for longer than its lease, or the store has lost it. */
  lost(): void;
  /** The store has the run's last chunk. */
  finished(): void;
}

/** Stores the chunks of a run that this instance has begun, in order, and renews its lease. */
export class RunWriter {
  /** How many chunks the store has. */
  head = 0;
  /** The run, where it is kept in this process. */
  private readonly local: LocalRun | undefined;
  private isStopped = false;
  private leaseUntil: number;
  private renewedAt: number;
  private readonly lease: number;
  private waiting: RunChunk[] = [];
  /** How many of the first of them are on their way: to remove these each time would take long. */
  private taken = 0;
  private waitingBytes = 0;
  private isAppending = false;
  private readonly beat: NodeJS.Timeout;
  private readonly roomWaiters: (() => void)[] = [];

  /** @param begunAt when the call that began the run was made, on the clock of `monotonicNow()` */
  constructor(
    private readonly run: NewRun,
    begunAt: number,
    private readonly owner: RunOwner,
    private readonly services: RunServices,
    private readonly turns: RunTurns,
  ) {
    this.local = services.store.local?.(run);
    this.renewedAt = begunAt;
    this.lease = run.lease;
    this.leaseUntil = begunAt + run.lease;
    this.beat = setInterval(() => this.renew(), run.lease / RENEWALS).unref();
  }

  /** Whether a source that can wait is to wait. */
  get isFull(): boolean {
    const count = this.waiting.length - this.taken;
    return this.waitingBytes > MAX_WAITING_BYTES || count > MAX_WAITING_CHUNKS;
  }

  /** Whether the lease is over by this instance's clock, which is before others find it over. */
  get isLeaseOver(): boolean {
    return monotonicNow() >= this.leaseUntil;
  }

  /** Resolves once there is room for more, or the run is over. */
  async whenRoom(): Promise<void> {
    if (this.isFull && !this.isStopped) {
      await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    }
  }

  write(chunks: readonly RunChunk[]): void {
    if (this.local) {
      if (!this.isStopped) {
        this.append(chunks);
      }
      return;
    }
    for (const chunk of chunks) {
      this.waiting.push(chunk);
      this.waitingBytes += chunk.data.length;
    }
    if (!this.isAppending) {
      this.turns.add(this);
    }
  }

  /** Stores nothing more. */
  stop(): void {
    this.isStopped = true;
    clearInterval(this.beat);
    this.waiting = [];
    this.taken = 0;
    this.waitingBytes = 0;
    this.makeRoom();
  }

  flush(): void {
    if (!this.isAppending && !this.isStopped) {
      this.append(this.firstWaiting());
    }
  }

  /** Takes from the waiting chunks as many as one append may have. */
  private firstWaiting(): readonly RunChunk[] {
    const { waiting, taken } = this;
    let [end, bytes] = [taken, 0];
    while (end < waiting.length && end - taken < APPEND_CHUNKS && bytes < APPEND_BYTES) {
      bytes += waiting[end++]!.data.length;
    }
    this.taken = end;
    if (end > waiting.length / 2) {
      this.waiting = waiting.slice(end);
      this.taken = 0;
    }
    return end - taken === waiting.length ? waiting : waiting.slice(taken, end);
  }

  private renew(): void {
    const now = monotonicNow();
    if (this.isLeaseOver) {
      this.owner.lost();
    } else if (now - this.renewedAt >= this.run.lease / RENEWALS / 2) {
      this.turns.add(this);
    }
  }

  /** Repeats the call until the store answers: a call may fail after it has done its work. */
  private append(chunks: readonly RunChunk[], attempt = 0): void {
    const calledAt = monotonicNow();
    if (calledAt >= this.leaseUntil) {
      // A frozen process wakes here: others may have ended the run, or are about to.
      this.owner.lost();
      return;
    }
    if (this.local) {
      this.answered(this.local.append(this.head, chunks, calledAt), chunks, calledAt);
      return;
    }
    const { channel, id } = this.run;
    this.isAppending = true;
    this.services.store.append({ channel, id, after: this.head, chunks }).then(
      (result) => {
        if (!this.isStopped) {
          this.services.outage.end('The store of runs can be reached again.');
          this.answered(result, chunks, calledAt);
          this.appendNext(chunks);
        }
      },
      (error: unknown) => void this.appendAgain(chunks, attempt, error),
    );
  }

  private async appendAgain(
    chunks: readonly RunChunk[],
    attempt: number,
    error: unknown,
  ): Promise<void> {
    if (this.isStopped) {
      return;
    }
    this.services.outage.begin(
      `The store of runs cannot be reached: ${reasonOf(error)} Runs wait.`,
    );
    await sleep(backoff(attempt, STORE_RETRY), undefined, { ref: false });
    this.turns.add({
      flush: () => {
        if (!this.isStopped) {
          this.append(chunks, attempt + 1);
        }
      },
    });
  }

  /** Takes the store's answer to a call. */
  private answered(result: AppendResult, chunks: readonly RunChunk[], calledAt: number): void {
    if (result === 'appended') {
      this.renewedAt = calledAt;
      this.leaseUntil = calledAt + this.lease;
      this.head += chunks.length;
      if (chunks[chunks.length - 1]?.end) {
        this.owner.finished();
      }
    } else if (result === 'ended' && !this.isLeaseOver) {
      this.owner.endedByOthers();
    } else {
      this.owner.lost();
    }
  }

  /** Goes on after a call that the store has answered. */
  private appendNext(chunks: readonly RunChunk[]): void {
    this.isAppending = false;
    if (this.isStopped) {
      return;
    }
    for (const { data } of chunks) {
      this.waitingBytes -= data.length;
    }
    if (!this.isFull) {
      this.makeRoom();
    }
    if (this.waiting.length > 0) {
      this.turns.add(this);
    }
  }

  private makeRoom(): void {
    for (const resolve of this.roomWaiters.splice(0)) {
      resolve();
    }
  }
}
