import type { SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { backoff } from '../postgres/backoff.js';
import { describe } from '../postgres/postgres-error.js';
import type { PgConfig } from '../postgres/postgres.options.js';
import { Election, type ElectionEvents } from './election.js';
import { eventOf, type EventRow } from './event-row.js';
import { tableError } from './event-table-error.js';
import type { EventTableSettings } from './event-table.options.js';
import { Fence } from './fence.js';
import { ensureInstalled } from './install.js';
import { formatPosition, type Position } from './position.js';
import { ReaderStatements, type ReaderPage, type TableHead } from './reader-statements.js';
import { Session } from './session.js';
import type { Topics } from './topics.js';
import { Wake } from './wake.js';

/**
 * Reads the event table, once for all channels of this process: every committed event, in the
 * order of the ids, which is the same for every reader of the table.
 */
export class EventReader {
  readonly #config: PgConfig;
  readonly #settings: EventTableSettings;
  readonly #topics: Topics;
  readonly #logger: SseLogger;
  readonly #statements: ReaderStatements;
  readonly #abort = new AbortController();
  readonly #wake: Wake;
  readonly #fence: Fence;
  readonly #election: Election;
  #position: Position | undefined;
  #incarnation = 0;
  #running: Promise<void> | undefined;
  #isOutage = false;
  #attempt = 0;
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
    this.#topics = topics;
    this.#logger = logger;
    this.#statements = new ReaderStatements(settings.schema);
    this.#wake = new Wake(settings.pollInterval, this.#abort.signal);
    this.#fence = new Fence(this.#statements, logger, this.#abort.signal);
    this.#election = new Election(this.#statements, settings.waker, election);
  }

  /** Every event up to here has been appended; `undefined` until the reader has found its start. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Whether the table cannot be read at the moment. */
  get isOutage(): boolean {
    return this.#isOutage;
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
        throw tableError(error, this.#settings.schema);
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
      } finally {
        this.#election.resign();
        await session?.close();
      }
      await this.#wake.pause(backoff(this.#attempt++));
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
      await ensureInstalled(session, this.#settings);
      await this.#listen(session);
      await this.#statements.prepare(session);
      this.#decide(undefined);
      await this.#begin(session);
      this.#recovered(session);
      for (;;) {
        signal.throwIfAborted();
        this.#wake.clear();
        const { id } = this.#position!;
        const hasMore = await this.#advance(session);
        if (this.#position!.id > id) {
          this.#wake.hurry(this.#position!.id - id);
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

  /** Finds where to start, or whether the stream can go on where it was. */
  async #begin(session: Session): Promise<void> {
    const head = await this.#statements.head(session);
    const { timeline, last, floor } = head;
    const before = this.#position;
    if (!before) {
      await this.#fence.pass(session, formatPosition({ timeline, id: last }));
      this.#moveTo(head, last);
      this.#topics.live(this.#text());
    } else if (this.#isReplaced(head, before)) {
      await this.#fence.pass(session, formatPosition({ timeline, id: last }));
      this.#moveTo(head, last);
      this.#topics.reset('failover', this.#text());
      this.#logger.warn(
        `Postgres event table: the server lost or replaced its history (it was at ${formatPosition(before)}); clients are told.`,
      );
    } else {
      this.#passFloor(floor);
    }
  }

  #isReplaced({ timeline, last, incarnation }: TableHead, before: Position): boolean {
    return timeline !== before.timeline || last < before.id || incarnation !== this.#incarnation;
  }

  #moveTo({ timeline, incarnation }: TableHead, id: number): void {
    this.#position = { timeline, id };
    this.#incarnation = incarnation;
  }

  /** Announces events that were dropped before they were read. */
  #passFloor(floor: number): void {
    const { timeline, id } = this.#position!;
    if (id + 1 < floor) {
      this.#position = { timeline, id: floor - 1 };
      this.#topics.reset('trimmed', this.#text());
    }
  }

  /** Reads one page and what fills its holes. Returns true when the page was full. */
  async #advance(session: Session): Promise<boolean> {
    const page = await this.#page(session);
    if (this.#append(page, 0)) {
      return page.more;
    }
    // Everything up to the last event that can be seen is settled once the fence is passed.
    const settled = Number(page.rows.at(-1)!.id);
    await this.#fence.pass(session, this.#text());
    while (this.#position!.id < settled) {
      const filled = await this.#page(session);
      if (Number(filled.rows[0]?.id) !== this.#position!.id + 1) {
        // What was here was rolled back, or dropped before it was read.
        this.#passFloor(await this.#statements.floor(session));
      }
      this.#append(filled, settled);
      const reached = filled.more ? Number(filled.rows.at(-1)?.id ?? 0) : settled;
      if (this.#position!.id < settled && reached >= settled) {
        // The last event of the first page has been deleted in the meantime.
        this.#position = { ...this.#position!, id: settled };
      }
    }
    // What was committed while the fence was passed.
    this.#wake.now();
    return page.more;
  }

  async #page(session: Session): Promise<ReaderPage> {
    for (;;) {
      const page = await this.#statements.page(session, this.#position!.id, this.#topics.listed);
      // A channel that was opened meanwhile needs the data as well.
      if (!page.rows.some(({ topic, data }) => data === null && this.#topics.has(topic))) {
        return page;
      }
    }
  }

  /**
   * Appends the events of a page, up to the first hole above `settled`. Returns false when there
   * is one.
   */
  #append({ rows }: ReaderPage, settled: number): boolean {
    const { timeline } = this.#position!;
    for (const row of rows) {
      const id = Number(row.id);
      const { id: before } = this.#position!;
      if (id <= before) {
        continue;
      }
      if (id !== before + 1 && id > settled) {
        return false;
      }
      this.#position = { timeline, id };
      if (row.data !== null) {
        this.#topics.append(row.topic, eventOf(row as EventRow, formatPosition(this.#position)));
      }
    }
    return true;
  }

  #text(): string {
    return formatPosition(this.#position!);
  }

  #report(error: unknown): void {
    if (!this.#isOutage) {
      this.#isOutage = true;
      const cause = tableError(error, this.#settings.schema);
      this.#logger.error(
        `Postgres event table: ${describe(cause)} Trying again until it works; no event is lost.`,
      );
    }
  }

  #recovered(session: Session): void {
    this.#attempt = 0;
    if (this.#isOutage) {
      this.#isOutage = false;
      this.#logger.log(
        `Postgres event table: reading again at ${session.target}, from ${this.#text()}.`,
      );
    }
  }

  #decide(error: unknown): void {
    this.#onFirstTry?.(error);
    this.#onFirstTry = undefined;
  }
}
