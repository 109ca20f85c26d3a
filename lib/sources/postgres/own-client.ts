import { settledWithin } from '../../channel/deadline.js';
import { LOCK_TIMEOUT_MS } from './lock-refusal.js';
import { OWN_TYPES } from './own-types.js';
import type { PgClient, PgModule } from './pg-types.js';
import type { PgConfig } from './postgres.options.js';

/** How long a polite end may take before we destroy the socket, in milliseconds. */
export const END_TIMEOUT_MS = 300;

/** The purpose of our connection. The server shows it in the connection's name. */
export type Purpose = 'listen' | 'event table' | 'waker' | 'statements';

/** The name of our connections in `pg_stat_activity`, unless the user gives one. */
export function applicationName(purpose: Purpose): string {
  return `nestjs-sse-channels ${purpose}`;
}

/**
 * The time limits of a session, in milliseconds; 0 for none. A role's own limits are meant for the
 * statements of users: a session that listens is idle for hours, and the waker's statement waits on
 * the server.
 */
export const OWN_LIMITS: Readonly<Record<string, number>> = {
  statement_timeout: 0,
  lock_timeout: LOCK_TIMEOUT_MS,
  idle_in_transaction_session_timeout: 0,
  idle_session_timeout: 0, // from PostgreSQL 14 on
  transaction_timeout: 0, // from PostgreSQL 17 on
};

/**
 * A client of our own for one session, not connected yet.
 *
 * @param lost is called with the reason when the connection is over, possibly more than once
 */
export function createClient(
  pg: PgModule,
  config: PgConfig,
  purpose: Purpose,
  lost: (reason: Error) => void,
): PgClient {
  const client = new pg.Client({
    fallback_application_name: applicationName(purpose),
    keepAlive: true,
    ...config,
    ...OWN_SETTINGS,
  });
  // Not among the options: `pg.defaults.binary` would win over it.
  client.binary = false;
  // Before connect(): an error nobody listens to ends the process.
  client.on('error', lost);
  client.on('end', () => lost(new Error('the server closed the connection')));
  return client;
}

/** Settings of our sessions that win over the user's options. */
const OWN_SETTINGS = {
  types: OWN_TYPES,
  pipeline: false,
  // These would open another kind of session.
  connection: undefined,
  replication: undefined,
  // We keep time ourselves: the limits of pg leave a half-open client stuck.
  query_timeout: undefined,
  connectionTimeoutMillis: undefined,
  // A pooler refuses a connection that asks for these; see sessionSql().
  statement_timeout: undefined,
  lock_timeout: undefined,
  idle_in_transaction_session_timeout: undefined,
};

/** The answer to `sessionSql()`. */
export interface SessionStart {
  /** Whether a pooler such as PgBouncer stands in between, so that the server's session may change. */
  readonly isPooled: boolean;
  /** Whether the server is a standby. */
  readonly isStandby: boolean;
}

/**
 * The first statement of each session. It sets the session's time limits, and asks what is at the
 * other end. Behind a pooler it sets nothing, because others get the connection afterwards.
 *
 * @param processID the process id that the client has received at the start; a pooler sends one that
 *   is not the server's
 */
export function sessionSql(processID: number | null, limits = OWN_LIMITS): string {
  const pid = processID ?? 0;
  const values = Object.entries(limits).map(([name, value]) => `('${name}', '${value}')`);
  return `select pg_catalog.pg_backend_pid() <> ${pid} as "isPooled", pg_catalog.pg_is_in_recovery() as "isStandby",
    (select count(pg_catalog.set_config(s.name, v.value, false))
      from (values ${values.join(', ')}) v (name, value) join pg_catalog.pg_settings s on s.name = v.name
      where pg_catalog.pg_backend_pid() = ${pid}) as settings`;
}

/**
 * Waits for an answer for as long as the server sends anything: behind thousands of notifications
 * the answer comes late, and each of them shows that the session lives.
 *
 * @param ms how long the server may be silent
 * @param signal is aborted once the session is over
 * @throws Error when the server has been silent for that long, or the session is over
 */
export async function answerOf<T>(
  client: PgClient,
  ms: number,
  what: string,
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout;
  let turn: NodeJS.Immediate | undefined;
  let onAbort!: () => void;
  const failure = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    const wait = (): void => {
      const heard = client.connection.stream.bytesRead;
      timer = setTimeout(() => {
        // After a long turn, timers run before the socket hands over what it has received.
        turn = setImmediate(() => {
          if (client.connection.stream.bytesRead !== heard) {
            wait();
          } else {
            reject(new Error(`${what}: no answer within ${ms} ms`));
          }
        });
      }, ms);
    };
    wait();
  });
  try {
    return await Promise.race([work, failure]);
  } finally {
    clearTimeout(timer!);
    clearImmediate(turn);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Says goodbye to the server; resolves in any case, within a fraction of a second. */
export async function endClient(client: PgClient): Promise<void> {
  await settledWithin(client.end(), END_TIMEOUT_MS);
  destroyClient(client);
}

/** Closes the socket. On a half-open connection end() never returns; this always works. */
export function destroyClient(client: PgClient): void {
  client.connection.stream.destroy();
}
