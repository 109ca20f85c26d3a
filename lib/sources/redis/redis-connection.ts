import { monotonicNow } from '../../channel/clock.js';
import { withDeadline } from '../../channel/deadline.js';
import { Guard } from '../../channel/guard.js';
import { asReported } from '../../channel/reported.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import { SseError } from '../../channel/sse-error.js';
import type { Lifecycle, SseLogger } from '../../channel/source.js';
import { fine, healthBy, starting, type SystemHealth } from '../../channel/system-health.js';
import { loadIoredis, ownClient, whenReady, type LoadIoredis } from './own-client.js';
import { plainError } from './plain-error.js';
import { callRedis } from './redis-call.js';
import {
  checkRedisOption,
  describeRedis,
  isRedisClient,
  type RedisClient,
  type RedisOption,
} from './redis-option.js';
import { ConnectionLoss, RedisOutage } from './redis-outage.js';

/** How long the first connection may take with `failFast`, in milliseconds. */
const START_TIMEOUT_MS = 15_000;

/** Codes of OpenSSL and Node for a refused certificate. */
const REFUSED_CERTIFICATE = /CERT|LEAF_SIGNATURE|INVALID_CA/;

/**
 * The connection for commands, shared by everything that talks to Redis. It connects on `start()` or
 * on first use, and again, for ever, after each loss.
 *
 * It uses a client of the application as it is: it neither configures nor reconnects nor closes it.
 */
export class RedisConnection implements Lifecycle {
  /** Whether the client is ours, made from a URL or options. */
  readonly owned: boolean;
  readonly address: string;
  /** Whether keys are spread over the nodes of a Cluster. */
  readonly isCluster: boolean;
  /** Logs that Redis cannot be reached. */
  readonly outage: RedisOutage;
  /** The number of losses so far. Each loss takes the replies under way with it. */
  drops = 0;
  private readonly loss: ConnectionLoss;
  private readonly guard: Guard;
  private opened: Promise<RedisClient> | undefined;
  private readonly readyListeners = new Set<() => void>();
  private readonly dropListeners = new Set<() => void>();
  private release: () => void = () => undefined;
  private isStarting = false;
  private readonly since = monotonicNow();
  /** Whether the client has ever become ready. */
  private wasReady = false;
  /** The client, once it is made. */
  private made: RedisClient | undefined;
  private stopped = false;

  /**
   * @param load loads the optional peer package
   * @throws SseError `INVALID_OPTION` when the option cannot name a Redis
   */
  constructor(
    private readonly option: RedisOption,
    logger: SseLogger,
    private readonly load: LoadIoredis = loadIoredis,
  ) {
    checkRedisOption(option);
    this.owned = !isRedisClient(option);
    this.address = describeRedis(option);
    this.isCluster = isRedisClient(option) && option.isCluster === true;
    this.guard = new Guard(logger);
    this.outage = new RedisOutage(this.address, logger);
    this.loss = new ConnectionLoss(
      this.outage,
      (reason) =>
        `Redis at ${this.address} is not reachable: ${reason}. Streams stay open; ` +
        'the connection is retried until it is back.',
    );
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
    throw this.known(
      new SseError('UNAVAILABLE', `Redis at ${this.address} is not connected (${client.status}).`),
    );
  }

  /** How Redis is, for commands and for subscriptions. */
  get health(): SystemHealth {
    // A client of the application may have been there before us.
    const wasThere = this.wasReady || this.made?.status === 'ready';
    return healthBy(this.outage, wasThere ? fine('up') : starting(this.since));
  }

  /** Whether the connection itself logs that it is lost, so that nobody else need. */
  get reportsLoss(): boolean {
    return this.owned || this.loss.isNoted;
  }

  /** Notes that a call has failed for good. If the connection is lost, this logs the loss now. */
  felt(): void {
    this.loss.felt();
  }

  /** Marks an error as reported when an outage that is in the log explains it. */
  known(error: SseError): SseError {
    return this.outage.lasts ? asReported(error) : error;
  }

  /** Calls the listener each time the connection is there (again). Returns a function that ends this. */
  onReady(listener: () => void): () => void {
    this.readyListeners.add(listener);
    return () => void this.readyListeners.delete(listener);
  }

  /** Calls the listener each time the connection is lost. Returns a function that ends this. */
  onDrop(listener: () => void): () => void {
    this.dropListeners.add(listener);
    return () => void this.dropListeners.delete(listener);
  }

  /** Closes the connection if it is ours, without waiting for replies under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.loss.stop();
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

  /**
   * The client in any state, to make others like it.
   * @throws SseError `MISSING_PEER` or `CLOSED`
   */
  open(): Promise<RedisClient> {
    if (this.stopped) {
      return Promise.reject(shuttingDown());
    }
    return (this.opened ??= this.connect());
  }

  private async connect(): Promise<RedisClient> {
    const client = isRedisClient(this.option)
      ? this.option
      : await ownClient(this.option, this.load);
    this.made = client;
    const onClose = () => {
      this.drops++;
      this.lost(client, 'the connection was closed');
      this.dropListeners.forEach((listener) =>
        this.guard.run('A listener for a lost connection to Redis', listener),
      );
    };
    const onReady = () => {
      this.wasReady = true;
      this.loss.over();
      this.readyListeners.forEach((listener) =>
        this.guard.run('A listener for a new connection to Redis', listener),
      );
    };
    client.on('close', onClose);
    client.on('ready', onReady);
    if (this.owned) {
      client.on('error', (error: unknown) => this.lost(client, connectionFailure(error)));
      // A failed attempt emits `error`, and the next attempt follows.
      client.connect().catch(() => undefined);
    } else {
      this.release = () => {
        client.off('close', onClose);
        client.off('ready', onReady);
      };
    }
    return client;
  }

  private lost(client: RedisClient, reason: string): void {
    // The caller of `start()` gets the error, so it need not be logged as well.
    if (!this.isStarting) {
      this.loss.note(client, reason);
    }
  }
}

function connectionFailure(error: unknown): string {
  const { message, code = '' } = plainError(error) as Error & { readonly code?: string };
  // Node leaves the message of a failed connection to several addresses empty.
  const reason = message || code;
  return REFUSED_CERTIFICATE.test(code)
    ? `its certificate was refused (${reason}). Set \`tls: { ca }\` in its options, or ` +
        'NODE_EXTRA_CA_CERTS, to the authority that signed it, and connect to a name it is made out to'
    : reason;
}
