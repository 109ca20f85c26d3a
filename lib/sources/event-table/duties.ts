import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import type { Lease } from '../../channel/lease.js';
import type { SseLogger } from '../../channel/source.js';
import { quoteName } from '../postgres/identifier.js';
import { failureText } from '../postgres/postgres-error.js';
import type { PgConfig } from '../postgres/postgres.options.js';
import type { Session } from '../postgres/session.js';
import { SessionKeeper, type SessionProgress } from '../postgres/session-keeper.js';
import { SessionLeases } from '../postgres/session-leases.js';
import type { EventTableSettings } from './event-table.options.js';
import type { Retention } from './retention.js';

/**
 * How long the waker watches with one statement, in milliseconds. The statement's snapshot grows as
 * old, and keeps the server from cleaning up what is newer.
 */
const WATCH_MS = 2_000;
/** How often the waker looks after a time without events, in milliseconds. */
const IDLE_INTERVAL_MS = 25;

/**
 * The duties of one instance for all instances that read the same table: it wakes them when there are
 * new events, and applies the retention. They need a connection of their own, as they wait on the
 * server.
 */
export class Duties {
  private readonly leases = new SessionLeases();
  private readonly lease: Lease;
  private readonly keeper: SessionKeeper;
  /** Whether a pooler stands in between. There are no leases then, and each instance does the duties. */
  private isPooled = false;
  private busyUntil = -Infinity;

  /** @param wake wakes the reader of this process */
  constructor(
    config: PgConfig,
    private readonly settings: EventTableSettings,
    private readonly retention: Retention,
    logger: SseLogger,
    private readonly wake: () => void,
  ) {
    // Instances that may not be the waker choose one for the retention among themselves. Otherwise
    // one of them might hold the lease, and nobody would wake the others.
    const name = `nestjs-sse-channels ${settings.waker ? 'elected' : 'retention'} ${settings.schema}`;
    this.lease = this.leases.claim(name, () =>
      this.lease.isHeld ? this.keeper.begin() : this.keeper.end(),
    );
    const use = {
      purpose: 'waker',
      serve: (session: Session, progress: SessionProgress) => this.serve(session, progress),
      // One failure is no outage; and when the server is away, the reader reports it.
      outageText: (reason: unknown, attempt: number) =>
        attempt > 0
          ? `Postgres event table: waker and retention are paused: ${failureText(reason)}; retrying.`
          : undefined,
      recoveryText: () => 'Postgres event table: waker and retention work again.',
    } as const;
    this.keeper = new SessionKeeper(config, use, logger);
  }

  get areOurs(): boolean {
    return this.isPooled || this.lease.isHeld;
  }

  /** Asks for the lease on the reader's session, which is idle. */
  async readerIsIdle(session: Session): Promise<void> {
    if (session.isPooled) {
      this.isPooled = true;
      this.keeper.begin();
      return;
    }
    await this.leases.attempt(session);
    if (!this.lease.isHeld) {
      await this.retention.measure(session);
    }
  }

  /** Notes that the reader's session is over, and with it the lease. */
  readerIsAway(): void {
    this.leases.sessionEnded();
    if (this.isPooled) {
      this.isPooled = false;
      this.keeper.end();
    }
  }

  async stop(): Promise<void> {
    await this.lease.release();
    await this.keeper.stop();
  }

  private async serve(session: Session, { signal, works }: SessionProgress): Promise<never> {
    const { retainInterval, waker } = this.settings;
    // Notifications get lost behind a pooler.
    const wakes = waker && !session.isPooled;
    if (wakes) {
      // The function that watches looks again and again within one transaction. A notification is a
      // commit: it need not wait for the disk, nor writers for it. And a plan that was made while
      // the table was small must not read all of it once it is large.
      await session.query({
        text: `set default_transaction_isolation = 'read committed'; set synchronous_commit = off; set enable_seqscan = off`,
      });
    }
    // From the first event on: readers may have missed events written while nobody watched.
    let seen = 0;
    for (let nextCheck = -Infinity; ;) {
      signal.throwIfAborted();
      if (monotonicNow() >= nextCheck) {
        await this.retention.run(session);
        nextCheck = monotonicNow() + retainInterval;
      }
      if (wakes) {
        const ms = Math.min(WATCH_MS, nextCheck - monotonicNow());
        seen = await this.watch(session, seen, ms, works);
      } else {
        // The next check notices a session that was lost meanwhile: a server or a pooler may end
        // idle sessions, and opening them again at once would check far too often.
        await sleep(Math.max(0, nextCheck - monotonicNow()), undefined, { signal });
        works();
      }
    }
  }

  /** @param works called as soon as the server has answered: the session may be lost right after */
  private async watch(
    session: Session,
    seen: number,
    ms: number,
    works: () => void,
  ): Promise<number> {
    const { wakeInterval, schema } = this.settings;
    const started = monotonicNow();
    const isBusy = started < this.busyUntil;
    const every = isBusy ? wakeInterval : Math.max(wakeInterval, IDLE_INTERVAL_MS);
    const [row] = await session.queryAgainAfterLocks<{ top: string }>({
      name: `sse_watch_${schema}`,
      text: `select ${quoteName(schema)}.watch($1, $2, $3) as top`,
      values: [seen, every, Math.max(0, ms)],
    });
    works();
    const top = Number(row!.top);
    if (top > seen) {
      this.wake();
      await session.query({ text: 'select pg_notify($1, $2)', values: [schema, ''] });
      this.busyUntil = monotonicNow() + WATCH_MS;
      // Otherwise a steady stream of events would be watched without any pause.
      const early = wakeInterval - (monotonicNow() - started);
      if (early > 0) {
        await sleep(early, undefined, { signal: session.signal });
      }
    }
    return top;
  }
}
