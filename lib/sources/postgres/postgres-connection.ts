import { SseError } from '../../channel/sse-error.js';
import type { Lifecycle, SseLogger } from '../../channel/source.js';
import { loadPg } from './load-pg.js';
import type { PgClient, PgPool, PgQueryable } from './pg-types.js';
import { describe, unavailable } from './postgres-error.js';
import { isQueryable, pgConfig, type PgConfig, type PostgresOption } from './postgres.options.js';
import { within } from './within.js';

/** Connections of ours for statements. Few: a statement here is a NOTIFY or a short read. */
const POOL_SIZE = 4;
/** How long an attempt to connect may take, in milliseconds, unless the user says so. */
const CONNECT_TIMEOUT = 5_000;
/** How long a statement may take, in milliseconds, unless the user says so. */
const QUERY_TIMEOUT = 15_000;
/** How long a polite end may take before sockets are destroyed, in milliseconds. */
const END_TIMEOUT = 300;

/**
 * The Postgres server of one application: where the listener connects to, and a way to
 * run statements. Connects at first need; closes what it created and nothing else.
 */
export class PostgresConnection implements Lifecycle {
  readonly #config: PgConfig;
  readonly #listenConfig: PgConfig;
  readonly #given: PgQueryable | undefined;
  readonly #logger: SseLogger;
  readonly #clients = new Set<PgClient>();
  #pool: Promise<PgPool> | undefined;
  #stopped = false;

  /**
   * @param option The server.
   * @param listenConnection The server again, reached directly, when `option` leads through a
   *   connection pooler such as PgBouncer. Default: `option`.
   * @throws SseError `INVALID_OPTION`.
   */
  constructor(option: PostgresOption, logger: SseLogger, listenConnection?: PostgresOption) {
    this.#given = isQueryable(option) ? option : undefined;
    this.#logger = logger;
    this.#listenConfig =
      listenConnection === undefined
        ? pgConfig('postgres', option)
        : pgConfig('listenConnection', listenConnection);
    this.#config = this.#given === undefined ? pgConfig('postgres', option) : {};
  }

  /** What the dedicated listening client is created with. */
  get listenConfig(): PgConfig {
    return this.#listenConfig;
  }

  /** Reports a missing `pg` early; connects nothing. */
  async start(): Promise<void> {
    await loadPg();
  }

  /**
   * Runs one statement, on the user's client or pool, or on a small pool of ours.
   *
   * @throws SseError `UNAVAILABLE` when the server cannot be reached, `CLOSED` after `stop()`,
   *   `MISSING_PEER` without `pg`; the server's own error when it refused the statement.
   */
  async query<Row>(text: string, values: unknown[] = []): Promise<readonly Row[]> {
    if (this.#stopped) {
      throw new SseError(
        'CLOSED',
        'The application is shutting down; Postgres takes no more statements.',
      );
    }
    try {
      const target = this.#given ?? (await (this.#pool ??= this.#createPool()));
      return (await target.query(text, values)).rows as readonly Row[];
    } catch (error) {
      throw unavailable(error, 'Postgres did not take the statement');
    }
  }

  /** Closes our pool. Resolves within a fraction of a second, whatever the network does. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const pool = await this.#pool?.catch(() => undefined);
    if (pool === undefined) {
      return;
    }
    try {
      await within(END_TIMEOUT, 'end', pool.end());
    } catch {
      for (const client of this.#clients) {
        client.connection.stream.destroy();
      }
    }
  }

  async #createPool(): Promise<PgPool> {
    const pg = await loadPg();
    const clients = this.#clients;
    // The pool names its clients only once they are connected; one that hangs before that
    // has to be destroyed as well.
    class TrackedClient extends pg.Client {
      constructor(config: object) {
        super(config);
        clients.add(this);
        this.on('end', () => clients.delete(this));
      }
    }
    const pool = new pg.Pool({
      fallback_application_name: 'nestjs-sse-channels',
      max: POOL_SIZE,
      connectionTimeoutMillis: CONNECT_TIMEOUT,
      query_timeout: QUERY_TIMEOUT,
      ...this.#config,
      Client: TrackedClient,
    });
    // An idle client that loses its server is reported here; unheard it would end the process.
    pool.on('error', (error) =>
      this.#logger.warn(`Postgres: an idle connection was lost: ${describe(error)}`),
    );
    return pool;
  }
}
