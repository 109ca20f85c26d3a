import { SseError } from '../../channel/sse-error.js';
import {
  copyOptions,
  foreignKeys,
  objectFault,
  type ObjectForm,
} from '../options/object-option.js';
import { kindOf } from '../../channel/shown.js';
import { urlFault } from '../options/url-option.js';

/** @ts-ignore The package is optional: a compiler that does not find it reads `any`. */
export type RedisOptions = import('ioredis').RedisOptions;

// The type that `ioredis` declares for listeners.
// oxlint-disable-next-line typescript/no-explicit-any
type Listener = (...args: any[]) => void;

/** The part of an `ioredis` client that we use. `Redis` and `Cluster` both have it. */
export interface RedisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options?: { readonly keyPrefix?: string | undefined } | undefined;
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  pipeline(commands: (string | number)[][]): {
    exec(): Promise<[error: Error | null, result: unknown][] | null>;
  };
  on(event: string, listener: Listener): unknown;
  off(event: string, listener: Listener): unknown;
  connect(): Promise<unknown>;
  disconnect(): void;
}

/** A client of one server: any that is not a `Cluster`. */
export type RedisNode = RedisClient & {
  readonly options: { readonly host?: string; readonly port?: number };
  /** Another client with the same options but these. */
  duplicate(override: object): RedisNode;
};

/**
 * How to reach Redis or Valkey: a URL (`redis://`, `rediss://`), the options of `ioredis`, or a
 * client of yours, `Redis` or `Cluster`, which we neither change nor close.
 */
export type RedisOption = string | RedisOptions | RedisClient;

const ALLOWED =
  'Allowed are a URL such as `redis://user:password@host:6379/0` (`rediss://` for TLS), ' +
  "ioredis' own options, or an ioredis client (`new Redis(…)`, `new Cluster(…)`).";

/** The options of `ioredis`, and their names in other libraries. */
const FORM: ObjectForm = {
  library: 'ioredis',
  keys: [
    'Connector',
    'autoPipeliningIgnoredCommands',
    'autoResendUnfulfilledCommands',
    'autoResubscribe',
    'blockingTimeout',
    'blockingTimeoutGrace',
    'clientInfoTag',
    'commandQueue',
    'commandTimeout',
    'connectTimeout',
    'connectionName',
    'db',
    'disableClientInfo',
    'disconnectTimeout',
    'enableAutoPipelining',
    'enableOfflineQueue',
    'enableReadyCheck',
    'enableTLSForSentinelMode',
    'failoverDetector',
    'family',
    'himportFieldsets',
    'host',
    'keepAlive',
    'keyPrefix',
    'lazyConnect',
    'maxLoadingRetryTime',
    'maxRetriesPerRequest',
    'monitor',
    'name',
    'natMap',
    'noDelay',
    'offlineQueue',
    'password',
    'path',
    'port',
    'preferredSlaves',
    'protocol',
    'readOnly',
    'reconnectOnError',
    'replyMapping',
    'retryStrategy',
    'role',
    'scripts',
    'sentinelCommandTimeout',
    'sentinelMaxConnections',
    'sentinelPassword',
    'sentinelReconnectStrategy',
    'sentinelRetryStrategy',
    'sentinelTLS',
    'sentinelUsername',
    'sentinels',
    'showFriendlyErrorStack',
    'socketTimeout',
    'stringNumbers',
    'tls',
    'updateSentinels',
    'username',
  ],
  serverKeys: ['host', 'path', 'sentinels'],
  foreign: {
    ...foreignKeys('the URL itself, in place of the object', [
      'connectionstring',
      'dsn',
      'uri',
      'url',
    ]),
    ...foreignKeys('what is in it, in its place: `host`, `port`, `tls`', ['socket']),
    ...foreignKeys('`host`', ['address', 'endpoint', 'hostname', 'hosts', 'server']),
    ...foreignKeys('`username`', ['user']),
    ...foreignKeys('`password`', ['auth', 'authpass', 'pass', 'passwd', 'pwd']),
    ...foreignKeys('`db`', ['database', 'dbindex']),
    ...foreignKeys('`tls: {}`', ['rejectunauthorized', 'secure', 'ssl', 'usetls']),
    ...foreignKeys('a client in place of it: `new Cluster(nodes)`', [
      'cluster',
      'clusternodes',
      'clusteroptions',
      'clusters',
      'nodes',
      'redisoptions',
      'rootnodes',
      'servers',
      'startupnodes',
    ]),
    ...foreignKeys('what is in it, in its place', [
      'client',
      'config',
      'connection',
      'options',
      'redis',
    ]),
    ...foreignKeys('a URL, as a REST interface does not speak the protocol of Redis', ['token']),
  },
};

export function isRedisClient(option: unknown): option is RedisClient {
  const client = option as Partial<Record<'status' | 'call' | 'pipeline', unknown>> | null;
  return (
    typeof client === 'object' &&
    client !== null &&
    typeof client.status === 'string' &&
    typeof client.call === 'function' &&
    typeof client.pipeline === 'function'
  );
}

/**
 * Checks the option `redis`. An error's message repeats no value.
 * @throws SseError `INVALID_OPTION`
 */
export function checkRedisOption(option: unknown): asserts option is RedisOption {
  if (typeof option === 'string') {
    checkUrl(option);
  } else if (!isRedisClient(option)) {
    checkObject(option);
  }
}

/** The options for a new client, including those for which a class has getters. */
export function redisOptions(option: RedisOptions): RedisOptions {
  return copyOptions(option, FORM.keys);
}

/** The server's address for messages, without user and password. */
export function describeRedis(option: RedisOption): string {
  if (typeof option === 'string') {
    const { host, pathname } = new URL(option);
    return host || pathname;
  }
  if (isRedisClient(option)) {
    return 'the given client';
  }
  if (option.sentinels) {
    return `the Sentinel group ${option.name ?? ''}`.trim();
  }
  return option.path ?? `${option.host ?? 'localhost'}:${option.port ?? 6379}`;
}

function checkUrl(text: string): void {
  const fault = urlFault(text, { schemes: ['redis', 'rediss'], needsHost: true });
  if (fault !== undefined) {
    throw invalid(fault);
  }
  if (!/^\/?\d*$/.test(new URL(text).pathname)) {
    throw invalid('is a URL whose database is not a number');
  }
}

function checkObject(option: unknown): void {
  const fault = objectFault(option, FORM);
  if (fault !== undefined) {
    throw invalid(fault);
  }
  const { port, ...options } = option as Record<string, unknown>;
  for (const key of ['host', 'path', 'username']) {
    const value = options[key];
    if (value !== undefined && value !== null && typeof value !== 'string') {
      throw new SseError('INVALID_OPTION', `\`redis.${key}\` is ${kindOf(value)}. Give a string.`);
    }
  }
  if (
    port !== undefined &&
    !(Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536)
  ) {
    throw new SseError(
      'INVALID_OPTION',
      `\`redis.port\` is ${typeof port === 'number' ? port : kindOf(port)}; it must be a whole number from 1 to 65535.`,
    );
  }
}

function invalid(fault: string): SseError {
  return new SseError('INVALID_OPTION', `\`redis\` ${fault}. ${ALLOWED}`);
}
