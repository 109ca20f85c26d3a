import { backoff } from '../../channel/backoff.js';
import type { SseLogger } from '../../channel/source.js';
import { ClusterSubscriber } from './cluster-subscriber.js';
import type { RedisConnection } from './redis-connection.js';
import type { RedisNode } from './redis-option.js';
import type { RedisServer } from './redis-server.js';
import { SubscriberConnection, type SubscriberEvents } from './subscriber-connection.js';
import { SUBSCRIBER_OPTIONS } from './subscriber-options.js';

interface Subscriptions {
  add(channel: string): void;
  remove(channel: string): void;
  stop(): void;
}

const OPEN_RETRY = { first: 250, most: 5_000 };

/**
 * The subscriptions of an instance, on one connection of its own, or one per node where a
 * Cluster keeps messages within a shard.
 */
export class Subscriber {
  private readonly wanted = new Set<string>();
  private subscriptions: Subscriptions | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** ioredis puts `keyPrefix` before the keys of scripts, and so before the channels they publish to. */
  private prefix = '';
  private attempt = 0;
  private opening = false;
  private stopped = false;

  constructor(
    private readonly connection: RedisConnection,
    private readonly server: RedisServer,
    /** Called with keys in place of channels. */
    private readonly events: Omit<SubscriberEvents, 'moved'>,
    private readonly logger: SseLogger,
  ) {}

  add(key: string): void {
    this.wanted.add(key);
    if (this.subscriptions) {
      this.subscriptions.add(this.prefix + key);
    } else {
      this.open();
    }
  }

  remove(key: string): void {
    this.wanted.delete(key);
    this.subscriptions?.remove(this.prefix + key);
  }

  open(): void {
    if (!this.opening && !this.subscriptions && !this.stopped) {
      this.opening = true;
      void this.connect();
    }
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.retry);
    this.subscriptions?.stop();
  }

  private async connect(): Promise<void> {
    try {
      const client = await this.connection.open();
      if (this.connection.isCluster) {
        await this.server.known();
      }
      if (this.stopped) {
        return;
      }
      this.prefix = String(client.options?.keyPrefix ?? '');
      const settings = {
        sharded: client.isCluster === true && this.server.sharded,
        outage: this.connection.outage,
        logger: this.logger,
      };
      const events: Omit<SubscriberEvents, 'moved'> = {
        message: (channel, text) => this.events.message(channel.slice(this.prefix.length), text),
        subscribed: (channels) =>
          this.events.subscribed(channels.map((channel) => channel.slice(this.prefix.length))),
        interrupted: (has) => this.events.interrupted((key) => has(this.prefix + key)),
      };
      this.subscriptions = client.isCluster
        ? new ClusterSubscriber(client, settings, events)
        : new SubscriberConnection(
            (client as RedisNode).duplicate(SUBSCRIBER_OPTIONS),
            { ...settings, address: this.connection.address },
            { ...events, moved: () => undefined },
          );
      this.wanted.forEach((key) => this.subscriptions!.add(this.prefix + key));
    } catch {
      // The connection for commands logs the reason.
      if (!this.stopped) {
        this.retry = setTimeout(() => void this.connect(), backoff(this.attempt++, OPEN_RETRY));
        this.retry.unref();
      }
    }
  }
}
