import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../channel/backoff.js';
import { monotonicNow } from '../channel/clock.js';
import { reasonOf } from '../channel/reason.js';
import type { AppendResult, NewRun, RunChunk } from '../channel/runs.js';
import { STORE_RETRY, type RunServices } from './run-services.js';
import type { RunTurns } from './run-turns.js';

/** Bytes of chunks that may wait for the store before a source that can wait is paused. */
const MAX_WAITING_BYTES = 262_144;
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
  private waiting: RunChunk[] = [];
  private waitingBytes = 0;
  private isAppending = false;
  private readonly stopping = new AbortController();
  private leaseUntil: number;
  private renewedAt: number;
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
    this.renewedAt = begunAt;
    this.leaseUntil = begunAt + run.lease;
    this.beat = setInterval(() => this.renew(), run.lease / RENEWALS).unref();
  }

  /** Whether a source that can wait is to wait. */
  get isFull(): boolean {
    return this.waitingBytes > MAX_WAITING_BYTES;
  }

  /** Resolves once there is room for more, or the run is over. */
  async whenRoom(): Promise<void> {
    if (this.isFull && !this.isStopped) {
      await new Promise<void>((resolve) => this.roomWaiters.push(resolve));
    }
  }

  write(chunk: RunChunk): void {
    this.waiting.push(chunk);
    this.waitingBytes += chunk.data.length;
    if (!this.isAppending) {
      this.turns.add(this);
    }
  }

  /** Stores nothing more. */
  stop(): void {
    this.stopping.abort();
    clearInterval(this.beat);
    this.waiting = [];
    this.waitingBytes = 0;
    this.makeRoom();
  }

  flush(): void {
    if (!this.isAppending && !this.isStopped) {
      const chunks = this.waiting;
      this.waiting = [];
      this.isAppending = true;
      void this.append(chunks);
    }
  }

  private get isStopped(): boolean {
    return this.stopping.signal.aborted;
  }

  private renew(): void {
    const now = monotonicNow();
    if (now >= this.leaseUntil) {
      this.owner.lost();
    } else if (now - this.renewedAt >= this.run.lease / RENEWALS / 2) {
      this.flush();
    }
  }

  private async append(chunks: readonly RunChunk[]): Promise<void> {
    const result = await this.appended(chunks);
    if (this.isStopped) {
      return;
    }
    this.isAppending = false;
    if (result !== 'appended') {
      const isStopped = result === 'ended' && monotonicNow() < this.leaseUntil;
      this.owner[isStopped ? 'endedByOthers' : 'lost']();
      return;
    }
    this.head += chunks.length;
    for (const { data } of chunks) {
      this.waitingBytes -= data.length;
    }
    if (chunks.at(-1)?.end) {
      this.owner.finished();
      return;
    }
    if (!this.isFull) {
      this.makeRoom();
    }
    if (this.waiting.length > 0) {
      this.turns.add(this);
    }
  }

  /** Repeats the call until the store answers; a call may fail after it has done its work. */
  private async appended(chunks: readonly RunChunk[]): Promise<AppendResult> {
    const { channel, id, lease } = this.run;
    const { outage, store } = this.services;
    const append = { channel, id, after: this.head, chunks };
    for (let attempt = 0; !this.isStopped; attempt++) {
      const calledAt = monotonicNow();
      if (calledAt >= this.leaseUntil) {
        // A frozen process wakes here: others may have ended the run, or are about to.
        return 'gone';
      }
      try {
        const result = await store.append(append);
        if (result === 'appended') {
          this.renewedAt = calledAt;
          this.leaseUntil = calledAt + lease;
        }
        outage.end('The store of runs can be reached again.');
        return result;
      } catch (error) {
        outage.begin(`The store of runs cannot be reached: ${reasonOf(error)} Runs wait.`);
        const { signal } = this.stopping;
        await sleep(backoff(attempt, STORE_RETRY), undefined, { signal }).catch(() => undefined);
      }
    }
    return 'gone';
  }

  private makeRoom(): void {
    for (const resolve of this.roomWaiters.splice(0)) {
      resolve();
    }
  }
}
