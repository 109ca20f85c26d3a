import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../channel/backoff.js';
import { monotonicNow } from '../channel/clock.js';
import { appendOrSkip } from '../channel/event-check.js';
import { reasonOf } from '../channel/reason.js';
import type { RunChunk } from '../channel/runs.js';
import type { ChannelSink, OrderedSink } from '../channel/source.js';
import type { EndingFeed } from '../channel/open-feed.js';
import type { Dialect, DialectFeed } from '../delivery/dialect.js';
import { RunEvent } from '../channel/run-event.js';
import type { KnownRun } from './known-run.js';
import { lastOrdinary, RunHistory, type LosableRun } from './run-history.js';
import { runPosition } from './run-position.js';
import { endLost, lostChunks, STORE_RETRY, type RunServices } from './run-services.js';

/** Chunks that are read at a time. */
const PAGE_SIZE = 256;
/** The shortest time after which the feed asks again whether the run is lost, in milliseconds. */
const MIN_WATCH_MS = 100;

/** Brings a run to the channel of its readers on this instance, and sees to it that the run has an end. */
export class RunFeed implements DialectFeed, EndingFeed, LosableRun {
  readonly history: RunHistory;
  readonly dialect: Dialect | undefined;
  /** What stands before the number of a chunk in its position. */
  private readonly prefix: string;
  private readonly leave: () => void;
  private isClosed = false;
  /** When a chunk has come last, or the run was known to be alive. */
  private heardAt = monotonicNow();
  private watch: NodeJS.Timeout | undefined;
  private isReading = false;
  private isBehind = false;
  private isGone = false;
  /** Whether the store has lacked chunks that have come here. */
  private isAhead = false;

  constructor(
    private readonly log: KnownRun,
    private readonly sink: OrderedSink,
    private readonly services: RunServices,
  ) {
    const { run, head, hasEnded } = log;
    const { store, formats } = services;
    this.dialect = formats.of(run.format).dialect;
    this.prefix = runPosition(run.id, '');
    this.history = new RunHistory(log, store, this, !this.dialect);
    sink.live(runPosition(run.id, head));
    this.leave = hasEnded ? () => undefined : store.follow(run, this.take.bind(this));
    this.watchIn(log.lease);
  }

  close(): void {
    this.isClosed = true;
    this.stop();
  }

  /** The store has an ended run for as long as it is kept; but an end that was made here nobody else has. */
  get isSpent(): boolean {
    return this.log.hasEnded && this.log.lost === undefined;
  }

  private get isOver(): boolean {
    return this.log.hasEnded || this.isClosed;
  }

  private stop(): void {
    clearTimeout(this.watch);
    this.leave();
  }

  private take(after?: number, chunks: readonly RunChunk[] = [], at?: number): void {
    if (this.isOver) {
      return;
    }
    if (after === undefined || after > this.log.head) {
      void this.readOn();
    } else {
      this.append(after, chunks, at);
    }
  }

  private append(after: number, chunks: readonly RunChunk[], now = monotonicNow()): void {
    const { log, sink, prefix } = this;
    const fresh = log.head > after ? chunks.slice(log.head - after) : chunks;
    const ordinary = lastOrdinary(after, chunks);
    if (ordinary < log.had && chunks[chunks.length - 1]?.ending !== undefined) {
      // The run was ended in a store that had lost chunks: readers who have them would pass over the end.
      this.lost();
      return;
    }
    if (fresh.length === 0) {
      return;
    }
    this.heardAt = now;
    const { head } = log;
    log.head += fresh.length;
    log.had = Math.max(log.had, ordinary);
    log.hasEnded = fresh[fresh.length - 1]!.end === true;
    let count = sink.appendOrdered?.(fresh, now, prefix, head) ?? 0;
    while (count < fresh.length) {
      const event = new RunEvent(prefix + (head + count + 1), fresh[count++]!);
      appendOrSkip(sink as ChannelSink, event, (error) =>
        this.services.log.error(
          `A chunk of a run in the channel ${JSON.stringify(log.run.channel)} was left out: ${reasonOf(error)}`,
        ),
      );
      count += sink.appendOrdered?.(fresh.slice(count), now, prefix, head + count) ?? 0;
    }
    if (log.hasEnded) {
      this.stop();
    }
  }

  /** Reads what the store has beyond the head, until nothing was missed meanwhile. */
  private async readOn(): Promise<void> {
    this.isBehind = true;
    if (this.isReading) {
      return;
    }
    this.isReading = true;
    let attempt = 0;
    while (this.isBehind && !this.isOver) {
      this.isBehind = false;
      try {
        this.isBehind = await this.readPage();
        attempt = 0;
      } catch (error) {
        this.isBehind = true;
        this.noteOutage(error);
        await sleep(backoff(attempt++, STORE_RETRY), undefined, { ref: false });
      }
    }
    this.isReading = false;
  }

  /** Appends a page of chunks that follow the head. Returns whether there is more to read. */
  private async readPage(): Promise<boolean> {
    const { run } = this.log;
    // An end may stand in the place of the newest chunk.
    const head = this.log.head - (this.isAhead ? 1 : 0);
    const chunks = await this.services.store.read(run, head, PAGE_SIZE);
    this.services.outage.end('The store of runs can be reached again.');
    if (this.isOver) {
      return false;
    }
    if (!chunks) {
      await this.lacks(head, PAGE_SIZE);
      return this.isBehind;
    }
    this.isAhead &&= chunks.length === 0;
    this.append(head, chunks);
    return this.isBehind || chunks.length >= PAGE_SIZE;
  }

  /**
   * Finds out why the store gave none of `limit` chunks behind the number `after`, and ends the run here if it has
   * lost them. An active run gets chunks again that have come here, as its instance had no answer, or it is ended.
   */
  async lacks(after: number, limit: number): Promise<void> {
    const { run, head, had } = this.log;
    const { store } = this.services;
    const record = await store.find(run.channel, run.id);
    const isShort = record !== undefined && record.head < Math.max(head, had);
    const isActive = record !== undefined && !record.hasEnded && record.leaseLeft > 0;
    // The answer may be from before it had these chunks again.
    const isThere = record && !isShort && (await store.read(run, after, limit)) !== undefined;
    this.isAhead = isThere === true || (isShort && isActive);
    if (isThere) {
      void this.readOn();
    } else if (!this.isAhead) {
      this.lost();
    }
  }

  /** Tells readers that the store has lost the run: they would wait for its end for ever. */
  lost(): void {
    const { log, services } = this;
    if (!this.isGone && !this.isOver) {
      this.isGone = true;
      // Behind what any reader has, who would pass over the first of these chunks otherwise.
      const after = Math.max(log.head, log.had);
      log.head = after;
      log.lost = { after, chunks: lostChunks(log.run, services) };
      this.append(after, log.lost.chunks);
    }
  }

  private watchIn(ms: number): void {
    clearTimeout(this.watch);
    if (!this.isOver) {
      const check = (): void => {
        const left = this.heardAt + this.log.lease - monotonicNow();
        if (left > 0) {
          this.watchIn(left);
        } else {
          void this.check();
        }
      };
      this.watch = setTimeout(check, Math.max(MIN_WATCH_MS, ms)).unref();
    }
  }

  /** Asks whether the run's instance is alive, and ends the run when it is not. */
  private async check(): Promise<void> {
    const { log, services } = this;
    const { channel, id } = log.run;
    try {
      const record = await services.store.find(channel, id);
      services.outage.end('The store of runs can be reached again.');
      if (!record) {
        this.lost();
      } else if (record.hasEnded || record.leaseLeft <= 0) {
        if (!record.hasEnded) {
          await endLost(log.run, services);
        }
        await this.readOn();
        if (record.hasEnded && !this.isReading) {
          // What the store has is here, and no end: it has lost that.
          this.lost();
        }
      } else {
        log.lease = Math.max(log.lease, record.leaseLeft);
        this.heardAt = monotonicNow() + record.leaseLeft - log.lease;
      }
      this.watchIn(record?.leaseLeft ?? 0);
    } catch (error) {
      this.noteOutage(error);
      this.watchIn(STORE_RETRY.most);
    }
  }

  private noteOutage(error: unknown): void {
    this.services.outage.begin(
      `The store of runs cannot be reached: ${reasonOf(error)} Followers of runs wait.`,
    );
  }
}
