import { SseError } from '../../channel/sse-error.js';
import {
  copyOptions,
  foreignKeys,
  objectFault,
  type ObjectForm,
} from '../options/object-option.js';
import { kindOf } from '../../channel/shown.js';
import { urlFault } from '../options/url-option.js';
import type { PgQueryable } from './pg-types.js';

/**
 * Connection options, as `pg.Client` takes them. The module passes on further ones, unless they are
 * those of another library.
 */
export interface PostgresClientOptions {
  /** A URL, instead of or together with the options below. */
  readonly connectionString?: string | undefined;
  /** Default: `PGHOST` or `localhost`. */
  readonly host?: string | undefined;
  /** Default: `PGPORT` or 5432. */
  readonly port?: number | undefined;
  /** Default: `PGUSER` or the name of the system's user. */
  readonly user?: string | undefined;
  /** Default: `PGDATABASE` or the name of the user. */
  readonly database?: string | undefined;
  /** The password, or a function that fetches it for each connection. Default: `PGPASSWORD`. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** TLS, as `tls.connect` takes it. Default: off. */
  readonly ssl?: boolean | object | undefined;
  /** The name of our connections in `pg_stat_activity`. Default: `nestjs-sse-channels` and the purpose of each. */
  readonly application_name?: string | undefined;
  /** How long an attempt to connect for statements may take, in milliseconds. Default: 5,000. */
  readonly connectionTimeoutMillis?: number | undefined;
}

/**
 * The Postgres server: a URL, the options of `pg.Client`, or a `pg.Client` or
 * `pg.Pool` of the application's own, which the module never closes.
 *
 * The module uses a client or pool of the application's for statements only. For notifications it
 * opens a connection of its own, with the same parameters.
 */
export type PostgresOption = string | PostgresClientOptions | PgQueryable;

/** A configuration for `new pg.Client()`. */
export type PgConfig = Record<string, unknown>;

/** The options of `pg`, and their names in other libraries. */
const FORM: ObjectForm = {
  library: 'pg',
  keys: [
    'allowExitOnIdle',
    'application_name',
    'binary',
    'client_encoding',
    'connectionString',
    'connectionTimeoutMillis',
    'database',
    'enableChannelBinding',
    'fallback_application_name',
    'host',
    'idleTimeoutMillis',
    'idle_in_transaction_session_timeout',
    'keepAlive',
    'keepAliveInitialDelayMillis',
    'lock_timeout',
    'max',
    'maxLifetimeSeconds',
    'maxUses',
    'min',
    'onConnect',
    'options',
    'password',
    'pipeline',
    'port',
    'query_timeout',
    'scramMaxIterations',
    'ssl',
    'sslnegotiation',
    'statement_timeout',
    'stream',
    'types',
    'user',
  ],
  serverKeys: ['connectionString', 'host'],
  foreign: {
    ...foreignKeys('`connectionString`, or the URL itself in place of the object', [
      'url',
      'uri',
      'dsn',
      'connectionurl',
      'connectionuri',
      'databaseurl',
    ]),
    ...foreignKeys('`host`', ['address', 'hostname', 'hosts', 'server']),
    ...foreignKeys('`user`', ['username']),
    ...foreignKeys('`password`', ['pass', 'passwd', 'pwd']),
    ...foreignKeys('`database`', ['databasename', 'db', 'dbname']),
    ...foreignKeys('`ssl`', ['rejectunauthorized', 'sslmode', 'tls']),
    ...foreignKeys('what is in it, in its place', ['config', 'connection', 'pool', 'postgres']),
    ...foreignKeys('the other keys without it', ['client', 'dialect', 'type']),
  },
};

const URL_FORM = { schemes: ['postgres', 'postgresql'], needsHost: false };

const REMEDY =
  'Give a URL such as postgres://user:password@host:5432/database, with special characters percent-encoded, the options of pg.Client, or a pg.Client or pg.Pool';

/** True for a client or a pool, false for options. */
export function isQueryable(option: unknown): option is PgQueryable {
  return typeof (option as Partial<PgQueryable> | null | undefined)?.query === 'function';
}

/** True for a `pg.Client` or a `pg.Pool`, of whatever release; not for what only resembles them. */
export function isOfPg(queryable: object): boolean {
  const { connectionParameters, totalCount } = queryable as Record<string, unknown>;
  return connectionParameters !== undefined || typeof totalCount === 'number';
}

/**
 * Turns an option into the configuration of a new client of ours.
 *
 * @param name The option's name, for the error.
 * @throws SseError `INVALID_OPTION` when it names no server, or has keys of another library. No
 *   value is repeated in the message.
 */
export function pgConfig(name: string, option: unknown): PgConfig {
  if (typeof option === 'string') {
    checkUrl(name, option);
    return { connectionString: option };
  }
  // A function with query() is a client of another library.
  if (isQueryable(option) && typeof option === 'object') {
    return configOf(name, option);
  }
  const fault = objectFault(option, FORM);
  if (fault !== undefined) {
    throw invalid(name, fault);
  }
  const config = copyOptions(option as object, FORM.keys);
  if (config['connectionString'] !== undefined) {
    checkUrl(`${name}.connectionString`, config['connectionString']);
  }
  for (const key of ['host', 'user', 'database']) {
    checkText(`${name}.${key}`, config[key]);
  }
  if (typeof config['password'] !== 'function') {
    checkText(`${name}.password`, config['password']);
  }
  checkPort(`${name}.port`, config['port']);
  return config;
}

/** Reads the parameters of a client or a pool that somebody else created. */
function configOf(name: string, queryable: object): PgConfig {
  // Others have `options` as well, with other keys.
  if (!isOfPg(queryable)) {
    throw invalid(
      name,
      'is an object with query() that is neither a pg.Client nor a pg.Pool',
      'Give the server to listen on as well: listenConnection',
    );
  }
  const { options: poolOptions, connectionParameters } = queryable as {
    options?: object;
    connectionParameters?: Record<string, unknown>;
  };
  if (connectionParameters === undefined) {
    return copyOptions(poolOptions ?? {}, FORM.keys);
  }
  const { user, host, port, database, password, ssl, options, client_encoding } =
    connectionParameters;
  const given = { user, host, port, database, password, ssl, options, client_encoding };
  // pg reads an absent key, not an undefined one, as "take the default".
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined && value !== null),
  );
}

function checkUrl(name: string, url: unknown): asserts url is string {
  if (typeof url !== 'string') {
    throw invalid(name, `is ${kindOf(url)}`);
  }
  // A path names a Unix socket; pg takes it as it is.
  const fault =
    url.startsWith('/') || url.startsWith('socket:') ? undefined : urlFault(url, URL_FORM);
  if (fault !== undefined) {
    throw invalid(name, fault);
  }
}

function checkText(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') {
    throw invalid(name, `is ${kindOf(value)}`, 'Give a string');
  }
}

function checkPort(name: string, port: unknown): void {
  const number = port === undefined ? 5432 : Number(port);
  if (!(Number.isInteger(number) && number > 0 && number < 65_536)) {
    const shown = typeof port === 'number' ? String(port) : kindOf(port);
    throw invalid(name, `is ${shown}`, 'A port is a whole number from 1 to 65535');
  }
}

function invalid(name: string, fault: string, remedy = REMEDY): SseError {
  return new SseError('INVALID_OPTION', `\`${name}\` ${fault}. ${remedy}.`);
}
