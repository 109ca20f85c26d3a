import { backoff } from '../../channel/backoff.js';
import type { SseLogger } from '../../channel/source.js';
import { plainError } from './plain-error.js';
import type { RedisClient } from './redis-option.js';
import { byCommand } from './subscribe-commands.js';

/** How often the server is asked for a sign of life, in milliseconds. */
const PING_INTERVAL_MS = 4_000;
/** How long it may take to give one. */
const REPLY_TIMEOUT_MS = 4_000;
const RETRY = { first: 50, most: 2_000 };
/** When a subscription that was refused is tried again. */
const REFUSED_RETRY = { first: 100, most: 2_000 };
/** How ioredis 5 complains of a subscription that was ended unasked; later versions emit `moved`. */
const UNASKED_REPLY = 'Command queue state error';

/** What a connection tells of its channels. */
export interface SubscriberEvents {
  message(channel: string, text: string): void;
  /** From here on messages of these channels arrive. */
  subscribed(channels: readonly string[]): void;
  /** The channels of this connection may have moved to another node. */
  moved(): void;
}

/** How a connection of ours for subscriptions differs from the one it is copied from. */
export const SUBSCRIBER_OPTIONS = {
  connectionName: 'nestjs-sse-channels-subscriber',
  lazyConnect: true,
  keyPrefix: '',
  readOnly: false,
  // Subscriptions are put in place again by us, as what was missed has to be read then.
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: 0,
  socketTimeout: REPLY_TIMEOUT_MS,
  disconnectTimeout: 200,
  reconnectOnError: null,
  // Counted from the last success.
  retryStrategy: (attempt: number) => backoff(attempt - 1, RETRY),
} as const;

/** One connection in subscriber mode. It is made again for ever when it is lost. */
export class SubscriberConnection {
  private readonly wanted = new Set<string>();
  /** What the server was told on the present connection. */
  private readonly sent = new Set<string>();
  /** Of these, what the server has confirmed. */
  private readonly confirmed = new Set<string>();
  private readonly changed = new Set<string>();
  private change: NodeJS.Immediate | undefined;
  private readonly ping: NodeJS.Timeout;
  private again: NodeJS.Timeout | undefined;
  private attempt = 0;
  private down = false;
  private stopped = false;

  /**
   * @param client a client of our own that is not connected yet
   * @param sharded whether to use SSUBSCRIBE
   */
  constructor(
    private readonly client: RedisClient,
    private readonly address: string,
    private readonly sharded: boolean,
    private readonly events: SubscriberEvents,
    private readonly logger: SseLogger,
  ) {
    client.on('ready', () => this.onReady());
    client.on('close', () => this.onClose());
    client.on('error', (error: unknown) => this.onError(plainError(error).message));
    client.on('moved', () => this.onEnded());
    client.on(sharded ? 'smessage' : 'message', events.message);
    client.connect().catch(() => undefined);
    this.ping = setInterval(() => this.check(), PING_INTERVAL_MS);
    this.ping.unref();
  }

  /** The channels of this connection. */
  get channels(): ReadonlySet<string> {
    return this.wanted;
  }

  add(channel: string): void {
    this.wanted.add(channel);
    this.note(channel);
  }

  remove(channel: string): void {
    this.wanted.delete(channel);
    this.note(channel);
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.ping);
    clearTimeout(this.again);
    clearImmediate(this.change);
    this.client.disconnect();
  }

  private note(channel: string): void {
    this.changed.add(channel);
    this.change ??= setImmediate(() => this.apply());
  }

  private onReady(): void {
    if (this.down) {
      this.down = false;
      this.logger.log(`The subscriptions at Redis ${this.address} are made again.`);
    }
    this.wanted.forEach((channel) => this.note(channel));
  }

  private onError(message: string): void {
    if (message.startsWith(UNASKED_REPLY)) {
      this.onEnded();
    } else {
      this.lost(message);
    }
  }

  /**
   * The server has ended subscriptions that nobody asked it to end, as it does with those of a
   * slot that leaves it. The slot may be back already, so only what the server has said counts.
   */
  private onEnded(): void {
    const left = this.subscribed();
    for (const channel of this.confirmed) {
      if (!left?.has(channel)) {
        this.confirmed.delete(channel);
        this.sent.delete(channel);
        this.note(channel);
      }
    }
    this.events.moved();
  }

  private onClose(): void {
    this.sent.clear();
    this.confirmed.clear();
    this.lost('the connection was closed');
    this.events.moved();
  }

  private apply(): void {
    this.change = undefined;
    if (this.client.status !== 'ready' || this.stopped) {
      this.changed.clear();
      return;
    }
    const added: string[] = [];
    const removed: string[] = [];
    const kept: string[] = [];
    for (const channel of this.changed) {
      if (this.wanted.has(channel) && this.sent.has(channel)) {
        kept.push(channel);
      } else if (this.wanted.has(channel)) {
        this.sent.add(channel);
        added.push(channel);
      } else if (this.sent.delete(channel)) {
        this.confirmed.delete(channel);
        removed.push(channel);
      }
    }
    this.changed.clear();
    // Closed and opened again at once: whoever opened them has to be told as well.
    this.events.subscribed(kept);
    for (const channels of byCommand(added, this.sharded)) {
      void this.subscribe(channels);
    }
    for (const channels of byCommand(removed, this.sharded)) {
      this.client
        .call(this.sharded ? 'sunsubscribe' : 'unsubscribe', ...channels)
        .catch(() => undefined);
    }
  }

  private async subscribe(channels: readonly string[]): Promise<void> {
    try {
      // The answer stands behind all messages: as long as these come, it is not late, and else the
      // socket's timeout ends the connection.
      await this.client.call(this.command, ...channels);
    } catch (error) {
      this.refused(channels, plainError(error));
      return;
    }
    this.attempt = 0;
    const left = this.subscribed();
    const there = channels.filter((channel) => this.sent.has(channel));
    const ended = there.filter((channel) => left && !left.has(channel));
    there.forEach((channel) => this.confirmed.add(channel));
    if (ended.length > 0) {
      this.onEnded();
    }
    this.events.subscribed(there.filter((channel) => this.confirmed.has(channel)));
  }

  private refused(channels: readonly string[], error: Error): void {
    if (error.name !== 'ReplyError' || this.stopped) {
      // The connection was lost; they are subscribed again on the next one.
      return;
    }
    channels.forEach((channel) => this.sent.delete(channel));
    if (error.message.startsWith('MOVED')) {
      this.events.moved();
    } else {
      this.lost(error.message);
    }
    this.again ??= setTimeout(
      () => {
        this.again = undefined;
        this.wanted.forEach((channel) => this.sent.has(channel) || this.note(channel));
      },
      backoff(this.attempt++, REFUSED_RETRY),
    ).unref();
  }

  /** A connection whose other end is gone is silent: only a question shows it. */
  private check(): void {
    if (this.client.status === 'ready') {
      this.client.call('ping').catch(() => undefined);
    }
  }

  private lost(reason: string): void {
    if (!this.down && !this.stopped) {
      this.down = true;
      this.logger.warn(
        `Subscriptions at Redis ${this.address} are interrupted: ${reason}. They are made again, ` +
          'and what was missed is read.',
      );
    }
  }

  /** The channels that the server hands messages of to us, as far as the client knows. */
  private subscribed(): ReadonlySet<string> | undefined {
    const { condition } = this.client as {
      readonly condition?: {
        readonly subscriber?: false | { channels(command: string): readonly string[] };
      };
    };
    return condition?.subscriber === undefined
      ? undefined
      : new Set(condition.subscriber ? condition.subscriber.channels(this.command) : []);
  }

  private get command(): 'ssubscribe' | 'subscribe' {
    return this.sharded ? 'ssubscribe' : 'subscribe';
  }
}
