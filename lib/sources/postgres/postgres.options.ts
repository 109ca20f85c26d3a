import { SseError } from '../../channel/sse-error.js';
import type { PgQueryable } from './pg-types.js';

/** Connection options, as `pg.Client` takes them. Further ones are handed through. */
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
  /** How long a connection for statements may take to be made, in milliseconds. Default: 5,000. */
  readonly connectionTimeoutMillis?: number | undefined;
}

/**
 * The Postgres server: a URL, the options of `pg.Client`, or a `pg.Client` or
 * `pg.Pool` of the application's own, which is then never closed here.
 *
 * A client or pool of the application's is used for statements only. Notifications
 * need a connection of their own, made with the same parameters.
 */
export type PostgresOption = string | PostgresClientOptions | PgQueryable;

/** A configuration for `new pg.Client()`. */
export type PgConfig = Record<string, unknown>;

/** True for a client or a pool, false for options. */
export function isQueryable(option: unknown): option is PgQueryable {
  return typeof (option as Partial<PgQueryable> | null)?.query === 'function';
}

/**
 * Turns an option into what a new client of ours is created with.
 *
 * @param name The option's name, for the error.
 * @throws SseError `INVALID_OPTION` when it names no server. Passwords are masked in the message.
 */
export function pgConfig(name: string, option: unknown): PgConfig {
  if (typeof option === 'string') {
    checkUrl(name, option);
    return { connectionString: option };
  }
  if (typeof option !== 'object' || option === null || Array.isArray(option)) {
    throw invalid(
      name,
      String(option),
      'Give a URL, the options of pg.Client, or a pg.Client or pg.Pool',
    );
  }
  if (isQueryable(option)) {
    return configOf(name, option);
  }
  const config = option as PgConfig;
  if (config['connectionString'] !== undefined) {
    checkUrl(`${name}.connectionString`, config['connectionString']);
  }
  const port = config['port'];
  if (
    port !== undefined &&
    !(Number.isInteger(Number(port)) && Number(port) > 0 && Number(port) < 65_536)
  ) {
    throw invalid(`${name}.port`, String(port), 'A port is a whole number from 1 to 65535');
  }
  return copy(config);
}

/** Reads the parameters of a client or a pool that somebody else created. */
function configOf(name: string, queryable: object): PgConfig {
  const { options, connectionParameters } = queryable as {
    options?: unknown;
    connectionParameters?: Record<string, unknown>;
  };
  if (typeof options === 'object' && options !== null) {
    return copy(options as PgConfig);
  }
  if (connectionParameters !== undefined) {
    const {
      user,
      host,
      port,
      database,
      ssl,
      options: settings,
      client_encoding,
    } = connectionParameters;
    const given: PgConfig = { user, host, port, database, ssl, options: settings, client_encoding };
    given['password'] = connectionParameters['password'] ?? undefined;
    // pg reads an absent key, not an undefined one, as "take the default".
    return Object.fromEntries(
      Object.entries(given).filter(([, value]) => value !== undefined && value !== null),
    );
  }
  throw invalid(
    name,
    'an object with query() that is neither a pg.Client nor a pg.Pool',
    'Give the server to listen on as well: listenConnection',
  );
}

/** Copies a configuration whose password `pg` may have hidden from enumeration. */
function copy(config: PgConfig): PgConfig {
  const password = config['password'];
  return password === undefined || password === null ? { ...config } : { ...config, password };
}

function checkUrl(name: string, url: unknown): asserts url is string {
  const remedy =
    'A URL has the form postgres://user:password@host:5432/database, with special characters percent-encoded';
  if (typeof url !== 'string' || url.length === 0) {
    throw invalid(name, typeof url === 'string' ? 'an empty string' : String(url), remedy);
  }
  // A path names a Unix socket; pg takes it as it is.
  if (url.startsWith('/') || url.startsWith('socket:')) {
    return;
  }
  try {
    if (!/^postgres(ql)?:\/\//.test(url)) {
      throw new TypeError('not a Postgres URL');
    }
    // The standard's parser wants a host after "@"; pg takes the default one then.
    const parsed = new URL(url.replace('@/', '@localhost/'));
    decodeURIComponent(parsed.username);
    decodeURIComponent(parsed.password);
    decodeURIComponent(parsed.pathname);
  } catch {
    // Not passed on as the cause: the parser's error repeats its input, password and all.
    throw invalid(name, JSON.stringify(maskPassword(url)), remedy);
  }
}

/** Hides what may be a password, also in a URL that cannot be parsed. */
export function maskPassword(url: string): string {
  return url
    .replace(
      /^([^:]*:\/\/)?([^:@/]*):.*@/,
      (_, scheme: string | undefined, user: string) => `${scheme ?? ''}${user}:***@`,
    )
    .replace(/([?&]password=)[^&]*/gi, '$1***');
}

function invalid(name: string, value: string, remedy: string): SseError {
  return new SseError('INVALID_OPTION', `The option "${name}" is ${value}. ${remedy}.`);
}
