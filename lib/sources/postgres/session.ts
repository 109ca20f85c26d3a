import { SseError } from '../../channel/sse-error.js';
import { loadPg } from './load-pg.js';
import { againAfterLocks } from './lock-refusal.js';
import {
  answerOf,
  createClient,
  destroyClient,
  endClient,
  sessionSql,
  type Purpose,
  type SessionStart,
} from './own-client.js';
import type { PgClient, PgModule } from './pg-types.js';
import { failureText, isRefusal } from './postgres-error.js';
import type { PgConfig } from './postgres.options.js';

/** How long the server may be silent before its answer, in milliseconds, unless told otherwise. */
const SILENCE_MS = 10_000;

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Prepares the statement under this name, on a connection that is not pooled. */
  readonly name?: string | undefined;
  /** How long the server may be silent before its answer, in milliseconds. Default: the session's. */
  readonly timeout?: number | undefined;
}

export interface SessionOptions {
  readonly purpose: Purpose;
  /** How long the server may be silent before an answer, in milliseconds. Default: 10,000. */
  readonly timeout?: number | undefined;
}

/**
 * One connection of our own, from its set-up to its loss. Whoever needs another opens a new session.
 *
 * Statements run outside of any transaction block, so each sees what was committed before it.
 */
export class Session {
  /** True when a pooler stands in between. The server's session may then change between statements. */
  isPooled = false;
  isStandby = false;
  /** Called with each notification. */
  onNotification: ((channel: string, payload: string) => void) | undefined;
  private readonly client: PgClient;
  private readonly silence: number;
  private readonly over = new AbortController();
  private closing: Promise<void> | undefined;

  private constructor(pg: PgModule, config: PgConfig, { purpose, timeout }: SessionOptions) {
    this.silence = timeout ?? SILENCE_MS;
    this.client = createClient(pg, config, purpose, (reason) => this.lose(reason));
    this.client.on('notification', ({ channel, payload }) => {
      if (!this.isClosed) {
        this.onNotification?.(channel, payload ?? '');
      }
    });
  }

  /**
   * Connects.
   *
   * @param signal ends an attempt that is under way
   * @throws Error when that fails; SseError `MISSING_PEER` without `pg`.
   */
  static async open(
    config: PgConfig,
    options: SessionOptions,
    signal: AbortSignal,
  ): Promise<Session> {
    const session = new Session(await loadPg(), config, options);
    const abort = (): void => session.lose(new Error('closed'));
    signal.addEventListener('abort', abort);
    try {
      signal.throwIfAborted();
      await session.answer('connect', session.silence, session.client.connect());
      const text = sessionSql(session.client.processID);
      const [start] = await session.query<SessionStart>({ text });
      session.isPooled = start!.isPooled;
      session.isStandby = start!.isStandby;
      return session;
    } catch (error) {
      session.lose(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Is aborted once the connection is lost or closed, with the reason. */
  get signal(): AbortSignal {
    return this.over.signal;
  }

  get isClosed(): boolean {
    return this.over.signal.aborted;
  }

  /** Where the connection goes, for people; without credentials. */
  get target(): string {
    const { host, port, database } = this.client;
    return `${host}:${port}/${database ?? ''}`;
  }

  /** The server's process for this session, as the server told at the start. */
  get pid(): number | null {
    return this.client.processID;
  }

  /**
   * @param otherwise what to do in place of a direct connection, for the error
   * @throws SseError `UNAVAILABLE` when a pooler stands between, as notifications get lost there.
   */
  refusePooler(otherwise = ''): void {
    if (this.isPooled) {
      throw new SseError(
        'UNAVAILABLE',
        `Postgres at ${this.target} is reached through a connection pooler (such as PgBouncer), which loses notifications. Set \`listenConnection\` to a direct connection to the server${otherwise}.`,
      );
    }
  }

  /**
   * Runs a statement; without values it may be several.
   *
   * @throws Error when the server refuses it. When there is no answer, the connection is lost.
   */
  async query<Row>(statement: Statement): Promise<readonly Row[]> {
    this.signal.throwIfAborted();
    const { text, values, name, timeout = this.silence } = statement;
    const work =
      name !== undefined && !this.isPooled
        ? (this.client as unknown as Preparing).query({ name, text, values: [...(values ?? [])] })
        : this.client.query(text, values && [...values]);
    return (await this.answer('query', timeout, work)).rows as readonly Row[];
  }

  /**
   * Runs one statement, and again while others hold a lock that it needs: of two that wait for each
   * other, we give way.
   *
   * @throws Error as `query()`, and when the lock is held for longer than the server may be silent
   */
  queryAgainAfterLocks<Row>(statement: Statement): Promise<readonly Row[]> {
    const { timeout = this.silence } = statement;
    return againAfterLocks(() => this.query<Row>(statement), timeout);
  }

  /** Ends the connection; resolves in any case, within a fraction of a second. */
  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    if (this.isClosed) {
      return;
    }
    this.over.abort(new Error('closed'));
    await endClient(this.client);
  }

  private async answer<T>(what: string, timeout: number, work: Promise<T>): Promise<T> {
    try {
      return await answerOf(this.client, timeout, what, work, this.signal);
    } catch (error) {
      if (!isRefusal(error)) {
        this.lose(error as Error);
      }
      throw error;
    }
  }

  private lose(error: Error): void {
    if (this.isClosed) {
      return;
    }
    this.over.abort(error instanceof Error ? error : new Error(failureText(error)));
    destroyClient(this.client);
  }
}

/** The form of `query` that prepares a statement. */
interface Preparing {
  query(config: object): Promise<{ readonly rows: readonly unknown[] }>;
}
