import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import { Outage } from '../../channel/outage.js';
import type { SseLogger } from '../../channel/source.js';
import { quoteName } from '../postgres/identifier.js';
import { describe } from '../postgres/postgres-error.js';
import type { PgConfig } from '../postgres/postgres.options.js';
import { RETRY } from './event-reader.js';
import type { EventTableSettings } from './event-table.options.js';
import type { Retention } from './retention.js';
import { Session } from './session.js';

/** How long the waker watches with one statement, in milliseconds. Its snapshot is as old. */
const PATIENCE = 2_000;
/** How often it looks when there has been no event for long, in milliseconds. */
const IDLE_INTERVAL = 25;

/**
 * What one elected instance does for all: it wakes them when there are new events, and applies
 * the retention. On a connection of its own, as it waits on the server.
 */
export class Duties {
  readonly #config: PgConfig;
  readonly #settings: EventTableSettings;
  readonly #retention: Retention;
  readonly #outage: Outage;
  /** Wakes the reader of this process. */
  readonly #wake: () => void;
  #abort: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(
    config: PgConfig,
    settings: EventTableSettings,
    retention: Retention,
    logger: SseLogger,
    wake: () => void,
  ) {
    this.#config = config;
    this.#settings = settings;
    this.#retention = retention;
    this.#outage = new Outage(logger);
    this.#wake = wake;
  }

  /** @param isPooled that nothing of a session can be relied on: there is no waker then */
  begin(isPooled: boolean): void {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    const before = this.#running;
    this.#running = before.then(() => this.#run(abort.signal, !isPooled && this.#settings.waker));
  }

  end(): void {
    this.#abort?.abort();
  }

  async stop(): Promise<void> {
    this.end();
    await this.#running;
  }

  async #run(signal: AbortSignal, wakes: boolean): Promise<void> {
    let attempt = 0;
    const works = (): void => {
      attempt = 0;
      this.#outage.end('Postgres event table: waker and retention go on.');
    };
    while (!signal.aborted) {
      let session: Session | undefined;
      try {
        session = await Session.open(this.#config, 'waker', signal);
        const opened = session;
        const close = (): void => void opened.close();
        signal.addEventListener('abort', close);
        try {
          await this.#serve(session, signal, wakes, works);
        } finally {
          signal.removeEventListener('abort', close);
        }
      } catch (error) {
        // Once is no outage; and when the server is away, the reader says so.
        if (!signal.aborted && attempt > 0) {
          this.#outage.begin(
            `Postgres event table: waker and retention are paused: ${describe(error)}; retrying.`,
          );
        }
      } finally {
        await session?.close();
      }
      await pause(backoff(attempt++, RETRY), signal);
    }
  }

  /** @param works is called each time that something was done */
  async #serve(
    session: Session,
    signal: AbortSignal,
    wakes: boolean,
    works: () => void,
  ): Promise<void> {
    const { interval } = this.#settings.retention;
    if (wakes) {
      // The watching function looks again and again within one transaction.
      // A notification is a commit, which need not wait for the disk, nor the writers for it. And a
      // plan that was made while the table was small must not read all of it when it is large.
      await session.query({
        text: `set default_transaction_isolation = 'read committed'; set synchronous_commit = off; set enable_seqscan = off`,
      });
    }
    // From the first event on: what was written while nobody watched may not have been found.
    let seen = 0;
    let nextCheck = -Infinity;
    while (!signal.aborted) {
      if (monotonicNow() >= nextCheck) {
        await this.#retention.run(session);
        nextCheck = monotonicNow() + interval;
      }
      if (wakes) {
        seen = await this.#watch(session, seen, Math.min(PATIENCE, nextCheck - monotonicNow()));
      } else {
        await pause(nextCheck - monotonicNow(), signal);
      }
      works();
    }
  }

  async #watch(session: Session, seen: number, patience: number): Promise<number> {
    const { wakeInterval, schema } = this.#settings;
    const started = monotonicNow();
    const every = started < this.#busyUntil ? wakeInterval : Math.max(wakeInterval, IDLE_INTERVAL);
    const [row] = await session.askAgain<{ top: string }>({
      name: `sse_watch_${schema}`,
      text: `select ${quoteName(schema)}.watch($1, $2, $3) as top`,
      values: [seen, every, Math.max(0, patience)],
    });
    const top = Number(row!.top);
    if (top > seen) {
      this.#wake();
      await session.query({ text: 'select pg_notify($1, $2)', values: [schema, ''] });
      this.#busyUntil = monotonicNow() + PATIENCE;
      // Otherwise a steady stream of events would be watched without any pause.
      await pause(wakeInterval - (monotonicNow() - started), undefined);
    }
    return top;
  }

  #busyUntil = -Infinity;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms <= 0 || signal?.aborted === true) {
    return;
  }
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
