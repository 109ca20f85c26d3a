import { backoff } from '../../channel/backoff.js';
import { Outage } from '../../channel/outage.js';
import type { SseLogger } from '../../channel/source.js';
import { byCommand } from './hash-slot.js';
import { plainError } from './plain-error.js';
import type { RedisClient } from './redis-option.js';
import { ConnectionLoss, type RedisOutage } from './redis-outage.js';
import { refusalOf } from './redis-refusal.js';

/** How often we test the connection with a PING, in milliseconds. */
const PING_INTERVAL_MS = 4_000;
/** The pause before we repeat a refused subscription. */
const REFUSED_RETRY = { first: 100, most: 2_000 };
/** The number of refusals for a passing reason before we log one. */
const PATIENCE = 5;
/** The error of ioredis 5 when the server ends a subscription; later versions emit `moved`. */
const UNASKED_REPLY = 'Command queue state error';

/** Reports of a connection about its channels. */
export interface SubscriberEvents {
  message(channel: string, text: string): void;
  /** From now on the messages of these channels arrive. */
  subscribed(channels: readonly string[]): void;
  /** The connection of the channels for which `has` is true was lost, or is about to subscribe. */
  interrupted(has: (channel: string) => boolean): void;
  /** The channels of this connection may have moved to another node. */
  moved(): void;
}

export interface SubscriberSettings {
  readonly address: string;
  /** Whether to use SSUBSCRIBE. */
  readonly sharded: boolean;
  readonly outage: RedisOutage;
  readonly logger: SseLogger;
}

/** One connection in subscriber mode. When it is lost, it connects again, for ever. */
export class SubscriberConnection {
  private readonly wanted = new Set<string>();
  /** The channels that we have sent to the server on the present connection. */
  private readonly sent = new Set<string>();
  /** The channels of `sent` that the server has confirmed. */
  private readonly confirmed = new Set<string>();
  private readonly changed = new Set<string>();
  private change: NodeJS.Immediate | undefined;
  private readonly ping: NodeJS.Timeout;
  private readonly loss: ConnectionLoss;
  private readonly refusals: Outage;
  private again: NodeJS.Timeout | undefined;
  private attempt = 0;
  private stopped = false;

  /** @param client a client of our own that is not connected yet */
  constructor(
    private readonly client: RedisClient,
    private readonly settings: SubscriberSettings,
    private readonly events: SubscriberEvents,
  ) {
    const { address, sharded, outage, logger } = settings;
    this.refusals = new Outage(logger, 'redis');
    this.loss = new ConnectionLoss(
      outage,
      (reason) =>
        `Subscriptions at Redis ${address} are interrupted: ${reason}. We restore them, and then ` +
        'read the missed events.',
    );
    client.on('ready', () => this.onReady());
    client.on('close', () => this.onClose());
    client.on('error', (error: unknown) => this.onError(plainError(error).message));
    client.on('moved', () => this.onEnded());
    client.on(sharded ? 'smessage' : 'message', events.message);
    client.connect().catch(() => undefined);
    this.ping = setInterval(() => this.check(), PING_INTERVAL_MS);
    this.ping.unref();
  }

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
    this.loss.stop();
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
    this.loss.over();
    this.events.interrupted((channel) => this.wanted.has(channel));
    this.wanted.forEach((channel) => this.note(channel));
  }

  private onError(message: string): void {
    if (message.startsWith(UNASKED_REPLY)) {
      this.onEnded();
    } else {
      this.loss.note(this.client, message);
    }
  }

  /**
   * Handles that the server has ended subscriptions, as it does when their slot moves to another
   * node. The slot may be back already, so only the server's own words count.
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
    this.loss.note(this.client, 'the connection was closed');
    this.events.interrupted((channel) => this.wanted.has(channel));
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
    // These were closed and opened again at once: the new reader must hear that messages arrive.
    this.events.subscribed(kept);
    const { sharded } = this.settings;
    for (const channels of byCommand(added, sharded)) {
      void this.subscribe(channels);
    }
    for (const channels of byCommand(removed, sharded)) {
      this.client
        .call(sharded ? 'sunsubscribe' : 'unsubscribe', ...channels)
        .catch(() => undefined);
    }
  }

  private async subscribe(channels: readonly string[]): Promise<void> {
    try {
      // The answer comes behind all earlier messages, so it has no deadline of its own. When nothing
      // comes at all, the socket's timeout ends the connection.
      await this.client.call(this.command, ...channels);
    } catch (error) {
      this.refused(channels, plainError(error));
      return;
    }
    this.attempt = 0;
    this.refusals.end(`Redis ${this.settings.address} accepts subscriptions again.`);
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
      // The connection was lost; the next one subscribes to them again.
      return;
    }
    channels.forEach((channel) => this.sent.delete(channel));
    if (error.message.startsWith('MOVED')) {
      this.events.moved();
    } else if (refusalOf(error, this.settings.address, '') || this.attempt >= PATIENCE) {
      this.refusals.begin(
        `Redis ${this.settings.address} refuses subscriptions: ${error.message}. We try again; until then ` +
          'only the comparison of streams finds events.',
      );
    }
    this.again ??= setTimeout(
      () => {
        this.again = undefined;
        this.wanted.forEach((channel) => this.sent.has(channel) || this.note(channel));
      },
      backoff(this.attempt++, REFUSED_RETRY),
    ).unref();
  }

  /** Sends a PING: when the other end is gone the connection is silent, and only this shows it. */
  private check(): void {
    if (this.client.status === 'ready') {
      this.client.call('ping').catch(() => undefined);
    }
  }

  /** The channels whose messages the server sends to us, as far as the client knows. */
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
    return this.settings.sharded ? 'ssubscribe' : 'subscribe';
  }
}
