import { settledWithin, withDeadline } from '../../channel/deadline.js';
import { SseError } from '../../channel/sse-error.js';
import type { Lifecycle } from '../../channel/source.js';
import { rowsIn, runOn } from './given-client.js';
import { loadPg } from './load-pg.js';
import { againAfterLocks } from './lock-refusal.js';
import { END_TIMEOUT_MS, applicationName, destroyClient } from './own-client.js';
import { OWN_TYPES } from './own-types.js';
import type { PgClient, PgPool, PgQueryable } from './pg-types.js';
import { pooledClient, statementLimits } from './pooled-client.js';
import { unavailable } from './postgres-error.js';
import { isQueryable, pgConfig, type PgConfig, type PostgresOption } from './postgres.options.js';

/** Connections of ours for statements. Few: a statement here is a NOTIFY or a short read. */
const POOL_SIZE = 4;
/** How long an attempt to connect may take, in milliseconds, unless the user says so. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How long a statement may take, in milliseconds, unless the user says so. */
const QUERY_TIMEOUT_MS = 15_000;

/**
 * The Postgres server of one application: where the listener connects to, and a way to
 * run statements. Connects at first need; closes what it created and nothing else.
 */
export class PostgresConnection implements Lifecycle {
  private readonly config: PgConfig;
  /** The options of the listening client. */
  readonly listenConfig: PgConfig;
  private readonly given: PgQueryable | undefined;
  private readonly clients = new Set<PgClient>();
  private pool: Promise<PgPool> | undefined;
  private readonly stopped = new AbortController();

  /**
   * @param option The server.
   * @param listenConnection The server again, reached directly, when `option` leads through a
   *   connection pooler such as PgBouncer. Default: `option`.
   * @throws SseError `INVALID_OPTION`.
   */
  constructor(option: PostgresOption, listenConnection?: PostgresOption) {
    this.given = isQueryable(option) ? option : undefined;
    this.listenConfig =
      listenConnection === undefined
        ? pgConfig('postgres', option)
        : pgConfig('listenConnection', listenConnection);
    this.config = this.given === undefined ? pgConfig('postgres', option) : {};
  }

  /** Reports a missing `pg` early; connects nothing. */
  async start(): Promise<void> {
    await loadPg();
  }

  /**
   * Runs one statement, on the user's client or pool, or on a small pool of ours.
   *
   * @throws SseError `UNAVAILABLE` when the server cannot be reached, `CLOSED` after `stop()`,
   *   `MISSING_PEER` without `pg`, `INVALID_OPTION` when the user's client gives no rows; the
   *   server's own error when it refused the statement.
   */
  async query<Row>(text: string, values: unknown[] = []): Promise<readonly Row[]> {
    if (this.stopped.signal.aborted) {
      throw new SseError(
        'CLOSED',
        'The application is shutting down; Postgres takes no more statements.',
      );
    }
    try {
      if (this.given !== undefined) {
        return rowsOf<Row>(await this.runOn(this.given, text, values));
      }
      const pool = await (this.pool ??= this.createPool());
      const run = (): Promise<unknown> => pool.query(text, values);
      // A user who sets the limit wants to see the refusal.
      const time = this.config['lock_timeout'] === undefined ? QUERY_TIMEOUT_MS : 0;
      return rowsOf<Row>(await againAfterLocks(run, time, this.stopped.signal));
    } catch (error) {
      throw unavailable(error, 'Postgres did not take the statement');
    }
  }

  /** Closes our pool. Resolves within a fraction of a second, whatever the network does. */
  async stop(): Promise<void> {
    this.stopped.abort();
    const pool = await this.pool?.catch(() => undefined);
    if (pool === undefined) {
      return;
    }
    await settledWithin(pool.end(), END_TIMEOUT_MS);
    this.clients.forEach(destroyClient);
  }

  /** Nothing else limits the wait, such as for a pool whose connections are all borrowed. */
  private runOn(given: PgQueryable, text: string, values: unknown[]): Promise<unknown> {
    return withDeadline(
      Promise.resolve(runOn(given, text, values)),
      QUERY_TIMEOUT_MS,
      'The client or pool of the option `postgres`',
      this.stopped.signal,
    );
  }

  private async createPool(): Promise<PgPool> {
    const pg = await loadPg();
    const pool = new pg.Pool({
      fallback_application_name: applicationName('statements'),
      max: POOL_SIZE,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      ...this.config,
      types: OWN_TYPES,
      Client: pooledClient(pg, statementLimits(this.config, QUERY_TIMEOUT_MS), this.clients),
    });
    // Without a listener, the loss of an idle connection would end the process. It is no failure:
    // the next statement gets another connection, or fails by itself.
    pool.on('error', () => undefined);
    return pool;
  }
}

function rowsOf<Row>(answer: unknown): readonly Row[] {
  const rows = rowsIn(answer);
  if (rows === undefined) {
    throw new SseError(
      'INVALID_OPTION',
      'query() of the option `postgres` resolved with something that has no rows. Give a pg.Client, a pg.Pool, or an object whose query() resolves with rows or with an object that has `rows`.',
    );
  }
  return rows as readonly Row[];
}
