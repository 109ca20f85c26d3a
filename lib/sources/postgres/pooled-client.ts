import { callbackify } from 'node:util';
import { OWN_LIMITS, sessionSql } from './own-client.js';
import type { PgClient, PgModule } from './pg-types.js';
import { isRefusal } from './postgres-error.js';
import type { PgConfig } from './postgres.options.js';

/**
 * The time limits of the pool's connections, without those that the user has set.
 *
 * @param most how long we wait for a statement, in milliseconds; the server need not go on after
 *   that
 */
export function statementLimits(config: PgConfig, most: number): Readonly<Record<string, number>> {
  const limits = { ...OWN_LIMITS, statement_timeout: most };
  return Object.fromEntries(Object.entries(limits).filter(([name]) => config[name] === undefined));
}

/**
 * The class of our pool's clients. Each sets the session's limits before its first statement.
 *
 * @param clients is filled with all clients that have not ended
 */
export function pooledClient(
  pg: PgModule,
  limits: Readonly<Record<string, number>>,
  clients: Set<PgClient>,
): PgModule['Client'] {
  return class extends pg.Client {
    constructor(config: object) {
      super(config);
      this.binary = false;
      // The pool tells of a client, and handles its errors, only once it is connected.
      clients.add(this);
      this.on('error', () => undefined);
      this.on('end', () => clients.delete(this));
    }

    override connect(): Promise<unknown>;
    override connect(callback: (error?: unknown) => void): void;
    override connect(callback?: (error?: unknown) => void): Promise<unknown> | void {
      return callback ? callbackify(() => this.connectAndSet())(callback) : this.connectAndSet();
    }

    private async connectAndSet(): Promise<void> {
      await super.connect();
      try {
        await this.query(sessionSql(this.processID, limits));
      } catch (error) {
        // A server that only resembles Postgres may refuse this, and still take our statements.
        if (!isRefusal(error)) {
          throw error;
        }
      }
    }
  };
}
