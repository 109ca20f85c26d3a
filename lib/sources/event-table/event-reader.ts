import { backoff } from '../../channel/backoff.js';
import { Outage } from '../../channel/outage.js';
import type { SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { describe } from '../postgres/postgres-error.js';
import type { PgConfig } from '../postgres/postgres.options.js';
import { Election, type ElectionEvents } from './election.js';
import { tableError } from './event-table-error.js';
import type { EventTableSettings } from './event-table.options.js';
import { Fence } from './fence.js';
import { ensureInstalled } from './install.js';
import { formatPosition, type Position } from './position.js';
import { ReaderStatements } from './reader-statements.js';
import { Session } from './session.js';
import { TableReading } from './table-reading.js';
import type { Topics } from './topics.js';
import { Wake } from './wake.js';

/** Between two attempts to connect, in milliseconds. */
export const RETRY = { first: 200, most: 30_000 };

/**
 * Reads the event table, once for all channels of this process: every committed event, in the
 * order of the ids, which is the same for every reader of the table.
 */
export class EventReader {
  readonly #config: PgConfig;
  readonly #settings: EventTableSettings;
  readonly #logger: SseLogger;
  readonly #statements: ReaderStatements;
  readonly #abort = new AbortController();
  readonly #wake: Wake;
  readonly #fence: Fence;
  readonly #election: Election;
  readonly #reading: TableReading;
  readonly #outage: Outage;
  #running: Promise<void> | undefined;
  #attempt = 0;
  #onInstalled!: () => void;
  /** Resolves once the table is there, or the first attempt has failed. */
  readonly installed = new Promise<void>((resolve) => (this.#onInstalled = resolve));
  #onFirstTry: ((error: unknown) => void) | undefined;

  constructor(
    config: PgConfig,
    settings: EventTableSettings,
    topics: Topics,
    logger: SseLogger,
    election: ElectionEvents,
  ) {
    this.#config = config;
    this.#settings = settings;
    this.#logger = logger;
    this.#statements = new ReaderStatements(settings.schema, topics.eventSize);
    this.#wake = new Wake(settings.pollInterval, this.#abort.signal);
    this.#fence = new Fence(this.#statements, logger, this.#abort.signal);
    this.#reading = new TableReading(this.#statements, topics, this.#fence, logger, this.wake);
    this.#outage = new Outage(logger);
    this.#election = new Election(this.#statements, settings.waker, election);
  }

  /** Every event up to here has been appended; `undefined` until the reader has found its start. */
  get position(): Position | undefined {
    return this.#reading.position;
  }

  /** Whether the table cannot be read at the moment. */
  get isOutage(): boolean {
    return this.#outage.lasts;
  }

  get isElected(): boolean {
    return this.#election.isElected;
  }

  /** What holds delivery back for long, if anything does. */
  get stuck(): Fence['stuck'] {
    return this.#fence.stuck;
  }

  /** There may be new events. */
  readonly wake = (): void => this.#wake.now();

  /** @throws SseError `UNAVAILABLE` with `failFast`, when the table cannot be read. */
  async start(failFast: boolean): Promise<void> {
    if (this.#running) {
      return;
    }
    const firstTry = new Promise<unknown>((resolve) => (this.#onFirstTry = resolve));
    this.#running = this.#run();
    if (failFast) {
      const error = await firstTry;
      if (error !== undefined) {
        await this.stop();
        throw tableError(error, this.#settings);
      }
    }
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      let session: Session | undefined;
      try {
        session = await Session.open(this.#config, 'event table', signal);
        await this.#follow(session);
      } catch (error) {
        if (!signal.aborted) {
          this.#report(error);
        }
        this.#decide(error);
        this.#onInstalled();
      } finally {
        this.#election.resign();
        await session?.close();
      }
      await this.#wake.pause(backoff(this.#attempt++, RETRY));
    }
  }

  /** Reads for as long as the session lasts. */
  async #follow(session: Session): Promise<never> {
    const { signal } = this.#abort;
    const close = (): void => void session.close();
    signal.addEventListener('abort', close);
    session.onNotification = this.wake;
    session.onLost = this.wake;
    try {
      await ensureInstalled(session, this.#settings, this.#logger, signal);
      this.#onInstalled();
      await this.#listen(session);
      await this.#statements.prepare(session);
      this.#decide(undefined);
      await this.#reading.begin(session);
      this.#recovered(session);
      for (;;) {
        signal.throwIfAborted();
        this.#wake.clear();
        const { id } = this.position!;
        const hasMore = await this.#reading.advance(session);
        if (this.position!.id > id) {
          this.#wake.hurry(this.position!.id - id);
        }
        if (!hasMore) {
          await this.#election.stand(session);
          await this.#wake.rest();
        }
      }
    } finally {
      signal.removeEventListener('abort', close);
    }
  }

  async #listen(session: Session): Promise<void> {
    if (!this.#settings.listen) {
      return;
    }
    if (session.isPooled) {
      throw new SseError(
        'UNAVAILABLE',
        `Postgres at ${session.target} is reached through a connection pooler (such as PgBouncer), which loses notifications. Set the option "listenConnection" to a direct connection to the server, or eventTable: { listen: false } to look at intervals.`,
      );
    }
    await this.#statements.listen(session);
  }

  #report(error: unknown): void {
    const cause = tableError(error, this.#settings);
    this.#outage.begin(
      `Postgres event table: ${describe(cause)} Trying again until it works; no event is lost.`,
    );
  }

  #recovered(session: Session): void {
    this.#attempt = 0;
    this.#outage.end(
      `Postgres event table: reading again at ${session.target}, from ${formatPosition(this.position!)}.`,
    );
  }

  #decide(error: unknown): void {
    this.#onFirstTry?.(error);
    this.#onFirstTry = undefined;
  }
}
