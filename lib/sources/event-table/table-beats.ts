import { randomUUID } from 'node:crypto';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../channel/backoff.js';
import { Outage } from '../../channel/outage.js';
import type { SseLogger } from '../../channel/source.js';
import { failureText, isRefusal } from '../postgres/postgres-error.js';
import { tableError, type TableSettings } from './event-table-error.js';
import type { Beat, PresenceStatements } from './presence-statements.js';

/** How many beats fit into the time after which an instance counts as dead. */
const BEATS = 6;
/** The part of that time for which a beat holds; the rest is for others to find out, and to remove. */
const ALIVE = 4 / BEATS;
/** The most seats of a dead instance that one statement removes: events wait behind it. */
const REMOVED_AT_ONCE = 500;
/** The most former names that live on. */
const MOST_FORMER = 8;
const RETRY = { first: 50, most: 1_000 };

interface Owner {
  /** What was put may be lost: all seats are to be put again. */
  lost(): void;
  /** Seats of a dead instance were removed. These channels have no connection any more. */
  removed(vacated: readonly string[]): void;
  /** Up to which revision no call is under way, and whether none is. */
  readonly settled: number;
  readonly isCalm: boolean;
}

/**
 * Shows that this instance lives, by one statement now and then, whatever the number of its connections,
 * and removes the seats of instances that do not.
 *
 * Whoever finds a dead instance removes its seats. That is no duty of the elected instance: one that is frozen
 * keeps its lease for as long as its connection.
 */
export class TableBeats {
  /** The name of this instance. An instance that may have lost seats goes on under another one. */
  instance: string = randomUUID();
  /** The names before, whose seats give way to those of the present name, and are removed then. */
  former: readonly string[] = [];
  private isNew = true;
  /** What the last beat told. */
  private last: Beat | undefined;
  /** How many beats there were since the last call. */
  private calm = 0;
  private readonly interval: number;
  private readonly removing = new Set<string>();
  private readonly stopped = new AbortController();
  private readonly detach = AsyncLocalStorage.snapshot();
  private readonly refusal: Outage;
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<unknown> | undefined;
  private failures = 0;

  constructor(
    private readonly statements: PresenceStatements,
    private readonly settings: TableSettings,
    private readonly timeout: number,
    private readonly owner: Owner,
    logger: SseLogger,
  ) {
    this.interval = Math.round(timeout / BEATS);
    this.refusal = new Outage(logger, 'presence');
  }

  start(): void {
    const beat = (): void => void this.beat().catch(() => undefined);
    this.timer = this.detach(() => setInterval(beat, this.interval).unref());
    beat();
  }

  stop(): void {
    this.stopped.abort();
    clearInterval(this.timer);
  }

  /** Has the seats of this instance go after `leaveAfter` milliseconds. */
  async end(leaveAfter: number): Promise<void> {
    await this.beating?.catch(() => undefined);
    if (!this.isNew) {
      await this.call(leaveAfter).catch(() => undefined);
    }
  }

  /**
   * Resolves with the name of this instance once the server knows it.
   * @throws what the server refuses, and SseError `UNAVAILABLE`
   */
  async known(): Promise<string> {
    while (this.isNew) {
      this.stopped.signal.throwIfAborted();
      await this.beat();
    }
    return this.instance;
  }

  /** The server does not know the instance under this name, or has lost what it knew. */
  distrust(instance: string): void {
    if (instance === this.instance && !this.isNew) {
      this.former = [...this.former, instance].slice(-MOST_FORMER);
      this.instance = randomUUID();
      this.isNew = true;
      this.last = undefined;
      this.calm = 0;
      this.owner.lost();
    }
  }

  private beat(): Promise<unknown> {
    return (this.beating ??= this.detach(() => this.beatOnce()).finally(
      () => (this.beating = undefined),
    ));
  }

  private async beatOnce(): Promise<void> {
    const { instance, stopped } = this;
    try {
      const beat = await this.call(Math.round(this.timeout * ALIVE));
      this.failures = 0;
      this.refusal.end('Postgres event table: this instance can be present again.');
      const isLost =
        beat.beats === null ||
        (this.last !== undefined &&
          (beat.timeline !== this.last.timeline || beat.beats <= this.last.beats!));
      this.last = beat;
      if (isLost) {
        this.isNew = false;
        this.distrust(instance);
      } else {
        this.isNew = false;
        this.calm = this.owner.isCalm ? this.calm + 1 : 0;
        if (this.calm >= 2) {
          this.former = [];
        }
      }
      beat.dead.forEach((name) => void this.remove(name));
    } catch (error) {
      const reason = tableError(error, this.settings);
      // The reader reports a server that is away.
      if (isRefusal((reason as Error).cause ?? reason) && !stopped.signal.aborted) {
        this.refusal.begin(
          `Postgres event table: this instance cannot be present: ${failureText(reason)}`,
        );
      }
      await sleep(backoff(this.failures++, RETRY), undefined, stopped).catch(() => undefined);
      throw reason;
    }
  }

  private call(alive: number): Promise<Beat> {
    const { instance, isNew, former } = this;
    const { settled } = this.owner;
    return this.statements.beat({ instance, isNew, former, alive, settled });
  }

  /** Removes the seats of a dead instance, unless another instance does. Never rejects. */
  private async remove(instance: string): Promise<void> {
    if (this.removing.has(instance)) {
      return;
    }
    this.removing.add(instance);
    try {
      for (let hasMore = true; hasMore && !this.stopped.signal.aborted;) {
        const removed = await this.statements.remove(instance, REMOVED_AT_ONCE);
        this.owner.removed(removed.vacated);
        ({ hasMore } = removed);
      }
    } catch {
      // A later beat of some instance finds it again.
    } finally {
      this.removing.delete(instance);
    }
  }
}
