import { AsyncLocalStorage } from 'node:async_hooks';
import { SseError } from '../../channel/sse-error.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  Lifecycle,
  OutgoingEvent,
  SseLogger,
} from '../../channel/source.js';
import { runScripts, type RedisReply } from './redis-batch.js';
import type { RedisConnection } from './redis-connection.js';
import { refusalOf } from './redis-refusal.js';
import { RedisServer } from './redis-server.js';
import type { RedisStreamsSettings } from './redis-streams.options.js';
import { parseMessage, type RawEntry } from './stream-entry.js';
import { StreamFeed, type Verdict } from './stream-feed.js';
import { StreamPublisher } from './stream-publisher.js';
import { TAIL, VERIFY } from './stream-scripts.js';
import { Subscriber } from './subscriber.js';

/** How many streams one round trip asks for. */
const BATCH = 500;
/** When a stream whose tail could not be read is asked for again. */
const RETRY_MS = 500;
/** How long it is remembered that something was published, to see whether it is still there. */
const REMEMBERED_MS = 60_000;
/** How many streams' losses are remembered, so that each is logged once. */
const MAX_LOSSES = 1_000;

interface Published {
  readonly id: string;
  readonly time: number;
}

/**
 * Carries events from every instance to every instance by Redis: a stream per channel, which
 * is also its history, and a message per publication. One order for all, as the stream has it.
 */
export class RedisBroker implements Broker, Lifecycle {
  private readonly server: RedisServer;
  private readonly subscriber: Subscriber;
  private readonly publisher: StreamPublisher;
  private readonly feeds = new Map<string, Set<StreamFeed>>();
  private readonly asked = new Set<string>();
  private readonly published = new Map<string, Published>();
  /** The announcements of losses that were logged, by stream. */
  private readonly losses = new Map<string, string>();
  private readonly refusedKeys = new Set<string>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private asking: NodeJS.Immediate | undefined;
  private audit: NodeJS.Timeout | undefined;
  /** Streams whose tail could not be read. */
  private readonly failed = new Set<string>();
  private retry: NodeJS.Timeout | undefined;
  private offReady: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly connection: RedisConnection,
    private readonly settings: RedisStreamsSettings,
    readonly logger: SseLogger,
  ) {
    this.server = new RedisServer(connection, logger);
    const events = {
      message: (key: string, text: string) => this.receive(key, text),
      subscribed: (keys: readonly string[]) => this.ask(keys),
    };
    this.subscriber = new Subscriber(connection, this.server, events, logger);
    this.publisher = new StreamPublisher(connection, this.server, settings, logger, (key, id) =>
      this.published.set(key, { id, time: performance.now() }),
    );
  }

  async start(failFast: boolean): Promise<void> {
    this.offReady = this.connection.onReady(() => this.onReady());
    this.subscriber.open();
    this.auditLater();
    if (failFast) {
      await this.server.known();
    } else {
      void this.server.known().catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    this.offReady?.();
    await this.publisher.stop();
    this.stopped = true;
    clearTimeout(this.audit);
    clearTimeout(this.retry);
    clearImmediate(this.asking);
    this.subscriber.stop();
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  open(channel: string, sink: ChannelSink): ChannelFeed {
    return this.openKey(this.keyOf(channel), channel, sink);
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  publish(channel: string, event: OutgoingEvent): Promise<string> {
    return this.publisher.publish(this.keyOf(channel), event);
  }

  /** What a feed reads its stream with. */
  async range(key: string, from: string, to: string, count: number): Promise<readonly RawEntry[]> {
    const client = await this.connection.client();
    return (await client.call('XRANGE', key, from, to, 'COUNT', count)) as readonly RawEntry[];
  }

  async verify(key: string, id: string): Promise<Verdict> {
    await this.server.known();
    const reply = await this.script(VERIFY, key, [id, this.server.publishCommand, this.age]);
    const [what, tail] = reply as [Verdict['what'], string];
    if (what === 'lost') {
      this.published.delete(key);
      this.noteLoss(key, id, tail);
    }
    return { what, tail };
  }

  close(feed: StreamFeed): void {
    const feeds = this.feeds.get(feed.key);
    feeds?.delete(feed);
    if (feeds?.size === 0) {
      this.feeds.delete(feed.key);
      this.subscriber.remove(feed.key);
    }
  }

  private openKey(key: string, channel: string, sink: ChannelSink): ChannelFeed {
    const feed = new StreamFeed(key, channel, sink, this);
    const feeds = this.feeds.get(key);
    if (feeds) {
      feeds.add(feed);
      this.ask([key]);
    } else {
      this.feeds.set(key, new Set([feed]));
      this.subscriber.add(key);
    }
    return feed;
  }

  private get age(): number {
    return Number.isFinite(this.settings.age) ? this.settings.age : 0;
  }

  private keyOf(channel: string): string {
    if (channel.startsWith('}')) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The channel ${JSON.stringify(channel)} begins with }, so that the keys of its stream ` +
          'would not share a hash slot. Give it another name.',
      );
    }
    return `${this.settings.prefix}{${channel}}`;
  }

  private receive(key: string, text: string): void {
    const feeds = this.feeds.get(key);
    const message = feeds && parseMessage(text);
    if (message) {
      feeds.forEach((feed) => feed.receive(message));
    }
  }

  private onReady(): void {
    void this.server.known().catch(() => undefined);
    this.publisher.retryNow();
    this.feeds.forEach((feeds) => feeds.forEach((feed) => feed.retryNow()));
    void this.compareAll();
  }

  private auditLater(): void {
    const { auditInterval } = this.settings;
    // A stream must not expire while it is read here, and looking at it keeps it.
    const interval = Math.min(auditInterval, this.settings.age / 4);
    this.audit = setTimeout(
      () => void this.compareAll().finally(() => this.stopped || this.auditLater()),
      interval * (0.75 + Math.random() / 4),
    );
    this.audit.unref();
  }

  private async compareAll(): Promise<void> {
    this.ask([...this.feeds.keys()]);
    await this.verifyPublished();
  }

  /** What was published and acknowledged must still be there, whoever reads it. */
  private async verifyPublished(): Promise<void> {
    const now = performance.now();
    const longest = Math.min(REMEMBERED_MS, this.settings.age / 2);
    for (const [key, { time }] of this.published) {
      if (now - time > longest) {
        this.published.delete(key);
      }
    }
    const published = [...this.published];
    for (let start = 0; start < published.length; start += BATCH) {
      const batch = published.slice(start, start + BATCH);
      await Promise.allSettled(batch.map(([key, { id }]) => this.verify(key, id)));
    }
  }

  /** Asks where streams end, all that are asked for in one turn together. */
  private ask(keys: readonly string[]): void {
    keys.forEach((key) => this.asked.add(key));
    if (this.asked.size > 0 && !this.stopped) {
      this.asking ??= this.detach(() => setImmediate(() => void this.askAll()));
    }
  }

  private async askAll(): Promise<void> {
    this.asking = undefined;
    const keys = [...this.asked].filter((key) => this.feeds.has(key));
    this.asked.clear();
    for (let start = 0; start < keys.length; start += BATCH) {
      await this.askFor(keys.slice(start, start + BATCH));
    }
  }

  private async askFor(keys: readonly string[]): Promise<void> {
    let replies: readonly RedisReply[];
    try {
      const client = await this.connection.client();
      const calls = keys.map((key) => ({ script: TAIL, keys: [key], args: [this.age] }));
      replies = await runScripts(client, calls);
    } catch (error) {
      replies = keys.map(() => ({ error: error as Error }));
    }
    keys.forEach((key, index) => {
      const reply = replies[index]!;
      if ('ok' in reply) {
        this.refusedKeys.delete(key);
        this.feeds.get(key)?.forEach((feed) => feed.tailIs(String(reply.ok)));
      } else {
        this.noteRefusal(key, reply.error);
        this.failed.add(key);
      }
    });
    if (this.failed.size > 0 && !this.stopped) {
      this.retry ??= this.detach(() => setTimeout(() => this.askAgain(), RETRY_MS).unref());
    }
  }

  private askAgain(): void {
    this.retry = undefined;
    const keys = [...this.failed];
    this.failed.clear();
    this.ask(keys);
  }

  /** Several may notice one loss: the feeds of the stream, and the publisher. */
  private noteLoss(key: string, id: string, announcement: string): void {
    if (this.losses.get(key) === announcement) {
      return;
    }
    if (this.losses.size >= MAX_LOSSES) {
      this.losses.clear();
    }
    this.losses.set(key, announcement);
    this.logger.warn(
      `The stream ${key} has lost entries: ${id} is no longer there. Its clients receive sse:reset.`,
    );
  }

  private noteRefusal(key: string, error: Error): void {
    const refusal = refusalOf(error, this.connection.address, key);
    if (refusal && !this.refusedKeys.has(key)) {
      this.refusedKeys.add(key);
      this.logger.error(`The channel of ${key} cannot be read: ${refusal.message}`);
    }
  }

  private async script(
    script: typeof TAIL,
    key: string,
    args: (string | number)[],
  ): Promise<unknown> {
    const client = await this.connection.client();
    const [reply] = await runScripts(client, [{ script, keys: [key], args }]);
    if ('ok' in reply!) {
      return reply.ok;
    }
    throw reply!.error;
  }
}
