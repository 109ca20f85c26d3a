import type { RedisOptions } from 'ioredis';
import { SseError } from '../../channel/sse-error.js';

// What `ioredis` declares its listeners to take.
// oxlint-disable-next-line typescript/no-explicit-any
type Listener = (...args: any[]) => void;

/** What we use of an `ioredis` client. `Redis` and `Cluster` both are one. */
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
 * How Redis or Valkey is reached: a URL (`redis://`, `rediss://`), the options of
 * `ioredis`, or a client of yours, `Redis` or `Cluster`, which we neither change
 * nor close.
 */
export type RedisOption = string | RedisOptions | RedisClient;

const ALLOWED =
  'Allowed are a URL such as `redis://user:password@host:6379/0` (`rediss://` for TLS), ' +
  "ioredis' own options, or an ioredis client (`new Redis(…)`, `new Cluster(…)`).";

/** Whether the option is a client of the user's. */
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
 * Refuses what cannot be a `redis` option.
 * @throws SseError `INVALID_OPTION`
 */
export function checkRedisOption(option: unknown): asserts option is RedisOption {
  if (typeof option === 'string') {
    checkUrl(option);
  } else if (typeof option !== 'object' || option === null || Array.isArray(option)) {
    throw invalid(option === null ? 'null' : Array.isArray(option) ? 'an array' : typeof option);
  } else if (!isRedisClient(option)) {
    checkPort((option as RedisOptions).port);
  }
}

/** Where the option points to, for messages; without user and password. */
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
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid(`"${masked(text)}", which is not a URL`);
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw invalid(`"${masked(text)}", whose protocol is not redis: or rediss:`);
  }
  if (url.hostname === '') {
    throw invalid(`"${masked(text)}", which names no host`);
  }
  if (!/^\/?\d*$/.test(url.pathname)) {
    throw invalid(`"${masked(text)}", whose database is not a number`);
  }
}

function checkPort(port: unknown): void {
  if (
    port !== undefined &&
    !(Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536)
  ) {
    throw new SseError(
      'INVALID_OPTION',
      `\`redis.port\` is ${JSON.stringify(port)}; it must be a whole number from 1 to 65535.`,
    );
  }
}

/** A malformed URL cannot be parsed, so everything up to the last @ may be a secret. */
function masked(text: string): string {
  const secret = text.lastIndexOf('@');
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? '';
  const shown = secret < scheme.length ? text : `${scheme}***${text.slice(secret)}`;
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}

function invalid(what: string): SseError {
  return new SseError('INVALID_OPTION', `\`redis\` is ${what}. ${ALLOWED}`);
}
