import { describe } from '../postgres/postgres-error.js';
import { loadPg } from '../postgres/load-pg.js';
import { againAfterLocks } from '../postgres/lock-refusal.js';
import {
  answerOf,
  createClient,
  destroyClient,
  endClient,
  sessionSql,
  sessionStart,
  type Purpose,
} from '../postgres/own-client.js';
import type { PgClient, PgModule } from '../postgres/pg-types.js';
import type { PgConfig } from '../postgres/postgres.options.js';

/** How long the server may be silent while an answer is waited for, in milliseconds. */
const TIMEOUT = 10_000;

/** One statement, and how long the server may be silent before its answer, in milliseconds. */
export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** Prepares the statement under this name, on a connection that is not pooled. */
  readonly name?: string | undefined;
  readonly timeout?: number | undefined;
}

/**
 * One connection of our own, from its set-up to its loss; it is not used again after.
 *
 * Statements run outside of any transaction block, so each sees what was committed before it.
 */
export class Session {
  /** True once the connection is lost or closed. */
  isClosed = false;
  /** True when a pooler is in between: nothing of a session can be relied on. */
  isPooled = false;
  /** Called with each notification. */
  onNotification: (() => void) | undefined;
  /** Called once, when the connection is lost. */
  onLost: (() => void) | undefined;
  readonly #client: PgClient;
  #reason: Error | undefined;
  /** Those who wait for an answer, to be told when the connection is lost. */
  readonly #waiting = new Set<(reason: Error) => void>();

  private constructor(pg: PgModule, config: PgConfig, purpose: Purpose) {
    this.#client = createClient(pg, config, purpose, (reason) => this.#lose(reason));
    this.#client.on('notification', () => this.onNotification?.());
  }

  /**
   * Connects. `signal` ends an attempt that is under way.
   *
   * @throws Error when that fails; SseError `MISSING_PEER` without `pg`.
   */
  static async open(config: PgConfig, purpose: Purpose, signal: AbortSignal): Promise<Session> {
    const session = new Session(await loadPg(), config, purpose);
    const abort = (): void => session.#lose(new Error('closed'));
    signal.addEventListener('abort', abort);
    try {
      signal.throwIfAborted();
      await session.#answer(TIMEOUT, session.#client.connect());
      const text = sessionSql(session.#client.processID);
      session.isPooled = sessionStart(await session.query({ text })).isPooled;
      return session;
    } catch (error) {
      session.#lose(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Where the connection goes, for people; without credentials. */
  get target(): string {
    const { host, port, database } = this.#client;
    return `${host}:${port}/${database ?? ''}`;
  }

  /**
   * Runs a statement; without values it may be several.
   *
   * @throws Error when the server refuses it. When there is no answer, the connection is lost.
   */
  async query<Row>({ text, values, name, timeout = TIMEOUT }: Statement): Promise<readonly Row[]> {
    if (this.#reason) {
      throw this.#reason;
    }
    const work =
      name !== undefined && !this.isPooled
        ? (this.#client as unknown as Preparing).query({ name, text, values: [...(values ?? [])] })
        : this.#client.query(text, values && [...values]);
    return (await this.#answer(timeout, work)).rows as readonly Row[];
  }

  /**
   * Runs one statement, and again while others hold a lock that it needs: of two that wait for each
   * other, we give way.
   *
   * @throws Error as `query()`, and when the lock is held for longer than the server may be silent
   */
  askAgain<Row>(statement: Statement): Promise<readonly Row[]> {
    const { timeout = TIMEOUT } = statement;
    return againAfterLocks(() => this.query<Row>(statement), timeout);
  }

  /** Ends the connection; resolves in any case, within a fraction of a second. */
  async close(): Promise<void> {
    if (this.isClosed) {
      destroyClient(this.#client);
      return;
    }
    this.onLost = undefined;
    this.onNotification = undefined;
    this.isClosed = true;
    this.#reason = new Error('closed');
    await endClient(this.#client);
    this.#fail(this.#reason);
  }

  async #answer<T>(timeout: number, work: Promise<T>): Promise<T> {
    // Not a race against one promise for the loss: that would keep each answer until then.
    let fail!: (reason: Error) => void;
    const answer = new Promise<T>((resolve, reject) => {
      fail = reject;
      work.then(resolve, reject);
    });
    this.#waiting.add(fail);
    try {
      return await answerOf(this.#client, timeout, 'query', answer);
    } catch (error) {
      if ((error as { severity?: unknown }).severity === undefined) {
        this.#lose(error as Error);
      }
      throw error;
    } finally {
      this.#waiting.delete(fail);
    }
  }

  #fail(reason: Error): void {
    this.#waiting.forEach((fail) => fail(reason));
  }

  #lose(error: Error): void {
    if (this.isClosed) {
      return;
    }
    this.isClosed = true;
    this.#reason = error instanceof Error ? error : new Error(describe(error));
    this.#fail(this.#reason);
    destroyClient(this.#client);
    this.onLost?.();
  }
}

/** The form of `query` that prepares a statement. */
interface Preparing {
  query(config: object): Promise<{ readonly rows: readonly unknown[] }>;
}
