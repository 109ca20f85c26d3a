import type { RedisOptions } from 'ioredis';
import { backoff } from '../../channel/backoff.js';
import { withDeadline } from '../../channel/deadline.js';
import { SseError } from '../../channel/sse-error.js';
import type { Lifecycle, SseLogger } from '../../channel/source.js';
import { connectionFailure } from './connection-failure.js';
import { plainError } from './plain-error.js';
import { callRedis } from './redis-call.js';
import {
  checkRedisOption,
  describeRedis,
  isRedisClient,
  redisOptions,
  type RedisClient,
  type RedisOption,
} from './redis-option.js';

/** The waits between two attempts to connect. */
const RETRY = { first: 100, most: 5_000 };
/** How long the first connection may take with `failFast`, in milliseconds. */
const START_TIMEOUT_MS = 15_000;
/** How long a command may stay without a reply before its connection counts as dead. */
export const REPLY_TIMEOUT_MS = 5_000;
/** How long closing waits for the server; the process cannot exit before. */
const CLOSE_TIMEOUT_MS = 200;

type Ioredis = { readonly Redis: new (...args: unknown[]) => RedisClient };

/**
 * The connection for commands, shared by everything that talks to Redis. It is made
 * on `start()` or on first use, and made again for ever when it is lost.
 *
 * A client of the user's is used as it is: it is not configured, not connected anew
 * and not closed.
 */
export class RedisConnection implements Lifecycle {
  /** Whether the client is ours, made from a URL or options. */
  readonly owned: boolean;
  /** Where it leads, for messages. */
  readonly address: string;
  /** Whether keys are spread over the nodes of a Cluster. */
  readonly isCluster: boolean;
  private opened: Promise<RedisClient> | undefined;
  private readonly readyListeners = new Set<() => void>();
  private readonly dropListeners = new Set<() => void>();
  private release: () => void = () => undefined;
  private dropCount = 0;
  private down = false;
  private isStarting = false;
  private stopped = false;

  /**
   * @param load loads the optional peer package
   * @throws SseError `INVALID_OPTION` when the option cannot name a Redis
   */
  constructor(
    private readonly option: RedisOption,
    private readonly logger: SseLogger,
    private readonly load: () => Promise<Ioredis> = () =>
      import('ioredis') as unknown as Promise<Ioredis>,
  ) {
    checkRedisOption(option);
    this.owned = !isRedisClient(option);
    this.address = describeRedis(option);
    this.isCluster = isRedisClient(option) && option.isCluster === true;
  }

  /** How often the connection was lost so far: a reply that was under way then is gone. */
  get drops(): number {
    return this.dropCount;
  }

  /**
   * Connects. Without `failFast` it does not wait for the server.
   *
   * @throws SseError `MISSING_PEER` when `ioredis` is not installed
   * @throws SseError `UNAVAILABLE` with `failFast`, when the server cannot be reached
   */
  async start(failFast: boolean): Promise<void> {
    if (!failFast) {
      await this.open();
      return;
    }
    // The caller gets the error, so it need not be logged as well.
    this.isStarting = true;
    const client = await this.open();
    try {
      await (this.owned
        ? withDeadline(whenReady(client), START_TIMEOUT_MS, 'Redis')
        : callRedis(client, 'PING'));
      this.isStarting = false;
    } catch (error) {
      await this.stop();
      throw new SseError(
        'UNAVAILABLE',
        `Redis at ${this.address} cannot be reached: ${connectionFailure(error)}. ` +
          'Start it, correct `redis`, or leave `failFast` unset to start without it.',
        { cause: plainError(error) },
      );
    }
  }

  /**
   * The client, once it can take a command. It rejects at once while the connection
   * is down, so that commands never pile up.
   *
   * @throws SseError `UNAVAILABLE`, `MISSING_PEER` or `CLOSED`
   */
  async client(): Promise<RedisClient> {
    const client = await this.open();
    if (client.status === 'ready' || (client.status === 'wait' && !this.owned)) {
      return client;
    }
    throw new SseError(
      'UNAVAILABLE',
      `Redis at ${this.address} is not connected (${client.status}).`,
    );
  }

  /**
   * The client in whatever state it is, to make others like it.
   * @throws SseError `MISSING_PEER` or `CLOSED`
   */
  base(): Promise<RedisClient> {
    return this.open();
  }

  /** Calls the listener each time the connection is there (again). Returns how to end that. */
  onReady(listener: () => void): () => void {
    this.readyListeners.add(listener);
    return () => void this.readyListeners.delete(listener);
  }

  /** Calls the listener each time the connection is lost. Returns how to end that. */
  onDrop(listener: () => void): () => void {
    this.dropListeners.add(listener);
    return () => void this.dropListeners.delete(listener);
  }

  /** Closes the connection if it is ours. Replies that are under way are not waited for. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.readyListeners.clear();
    const client = await this.opened?.catch(() => undefined);
    if (!client) {
      return;
    }
    if (this.owned) {
      client.disconnect();
    } else {
      this.release();
    }
  }

  private open(): Promise<RedisClient> {
    if (this.stopped) {
      return Promise.reject(new SseError('CLOSED', 'The application is shutting down.'));
    }
    return (this.opened ??= this.connect());
  }

  private async connect(): Promise<RedisClient> {
    const client = isRedisClient(this.option) ? this.option : await this.create(this.option);
    const onClose = () => {
      this.dropCount++;
      this.lost('the connection was closed');
      this.dropListeners.forEach((listener) => listener());
    };
    const onReady = () => this.back();
    client.on('close', onClose);
    client.on('ready', onReady);
    if (this.owned) {
      client.on('error', (error: unknown) => this.lost(connectionFailure(error)));
      // A failed attempt is reported through `error`, and is followed by the next one.
      client.connect().catch(() => undefined);
    } else {
      this.release = () => {
        client.off('close', onClose);
        client.off('ready', onReady);
      };
    }
    return client;
  }

  private async create(option: string | RedisOptions): Promise<RedisClient> {
    let ioredis: Ioredis;
    try {
      ioredis = await this.load();
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

  private lost(reason: string): void {
    if (this.down || this.isStarting || this.stopped || !this.owned) {
      return;
    }
    this.down = true;
    this.logger.error(
      `Redis at ${this.address} is not reachable: ${reason}. Streams stay open; ` +
        'the connection is retried until it is back.',
    );
  }

  private back(): void {
    if (this.down) {
      this.down = false;
      this.logger.log(`Redis at ${this.address} is reachable again.`);
    }
    for (const listener of this.readyListeners) {
      listener();
    }
  }
}

function whenReady(client: RedisClient): Promise<void> {
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
