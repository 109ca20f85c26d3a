import { once, type EventEmitter } from 'node:events';
import { backoff } from '../../channel/backoff.js';
import { SseError } from '../../channel/sse-error.js';
import { redisOptions, type RedisClient, type RedisOptions } from './redis-option.js';

/** The pause between two attempts to connect. */
const RETRY = { first: 100, most: 5_000 };
/** A connection counts as dead when a command has had no reply for this long. */
export const REPLY_TIMEOUT_MS = 5_000;
/** How long closing waits for the server. The process cannot exit before. */
const CLOSE_TIMEOUT_MS = 200;

/** The part of the package that we use. */
interface Ioredis {
  readonly Redis: new (...args: unknown[]) => RedisClient;
}

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
    // While the connection is down ioredis refuses commands instead of queueing them, and it does
    // not send twice what was under way: a repeated take would lose a value, a repeated push double it.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt: number) => {
      const wanted = users.retryStrategy?.(attempt);
      // ioredis counts attempts from the last success.
      return typeof wanted === 'number' ? wanted : backoff(attempt - 1, RETRY);
    },
  };
  return typeof option === 'string'
    ? new ioredis.Redis(option, options)
    : new ioredis.Redis(options);
}

/** Resolves once the client is connected; rejects when it could not be. */
export async function whenReady(client: RedisClient): Promise<void> {
  if (client.status === 'ready') {
    return;
  }
  const emitter = client as unknown as EventEmitter;
  const over = new AbortController();
  const { signal } = over;
  const closed = once(emitter, 'close', { signal }).then(() => {
    throw new Error('the server closed the connection');
  });
  try {
    // It rejects with what comes as `error`.
    await Promise.race([once(emitter, 'ready', { signal }), closed]);
  } finally {
    over.abort();
  }
}
