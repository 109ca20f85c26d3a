import { backoff } from '../../channel/backoff.js';
import { SseError } from '../../channel/sse-error.js';
import { redisOptions, type RedisClient, type RedisOptions } from './redis-option.js';

/** The waits between two attempts to connect. */
const RETRY = { first: 100, most: 5_000 };
/** How long a command may stay without a reply before its connection counts as dead. */
export const REPLY_TIMEOUT_MS = 5_000;
/** How long closing waits for the server; the process cannot exit before. */
const CLOSE_TIMEOUT_MS = 200;

/** What we use of the package. */
interface Ioredis {
  readonly Redis: new (...args: unknown[]) => RedisClient;
}

/** Loads the optional peer package. */
export type LoadIoredis = () => Promise<Ioredis>;

export const loadIoredis: LoadIoredis = () => import('ioredis') as unknown as Promise<Ioredis>;

/**
 * Makes a client of a URL or options. It does not connect yet.
 * @throws SseError `MISSING_PEER` when `ioredis` is not installed
 */
export async function ownClient(
  option: string | RedisOptions,
  load: LoadIoredis,
): Promise<RedisClient> {
  let ioredis: Ioredis;
  try {
    ioredis = await load();
  } catch (error) {
    throw new SseError(
      'MISSING_PEER',
      'The option `redis` needs the package ioredis, which could not be loaded. ' +
        'Install it: npm install ioredis',
      { cause: error },
    );
  }
  const users: RedisOptions = typeof option === 'string' ? {} : redisOptions(option);
  const options: RedisOptions = {
    connectionName: 'nestjs-sse-channels',
    socketTimeout: REPLY_TIMEOUT_MS,
    disconnectTimeout: CLOSE_TIMEOUT_MS,
    ...users,
    lazyConnect: true,
    // While the connection is down a command is refused instead of queued, and what was
    // under way is not sent twice: a take or a push that is repeated would lose or double.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt: number) => {
      const wanted = users.retryStrategy?.(attempt);
      // Counted from the last success.
      return typeof wanted === 'number' ? wanted : backoff(attempt - 1, RETRY);
    },
  };
  return typeof option === 'string'
    ? new ioredis.Redis(option, options)
    : new ioredis.Redis(options);
}

/** Resolves once the client is connected; rejects when it could not be. */
export function whenReady(client: RedisClient): Promise<void> {
  if (client.status === 'ready') {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      client.off('ready', onReady);
      client.off('error', settle);
      client.off('close', onClose);
      if (error === undefined) {
        resolve();
      } else {
        reject(error);
      }
    };
    const onReady = () => settle();
    const onClose = () => settle(new Error('the server closed the connection'));
    client.on('ready', onReady);
    client.on('error', settle);
    client.on('close', onClose);
  });
}
