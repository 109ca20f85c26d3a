import { GatheredLog } from '../../channel/gathered-log.js';
import { Guard } from '../../channel/guard.js';
import type { Histogram } from '../../channel/histogram.js';
import type { ChannelSink, Lifecycle, SseLogger } from '../../channel/source.js';
import { tallyOf } from '../../channel/tally.js';
import { WAKE } from './lua/lua.generated.js';
import { PublishedEvents } from './published-events.js';
import type { RedisConnection } from './redis-connection.js';
import { RedisServer } from './redis-server.js';
import type { RedisStreamsSettings } from './redis-streams.options.js';
import { laterVersionOf, parseMessage } from './stream-entry.js';
import { StreamFeed, type StreamOptions } from './stream-feed.js';
import { StreamReading } from './stream-reading.js';
import { StreamTails, type TailReader } from './stream-tails.js';
import { Subscriber } from './subscriber.js';

/** Hears the messages of a channel without a stream. */
export interface Listener {
  message(text: string): void;
  /** From now on messages arrive; earlier ones may have been missed. */
  subscribed(): void;
  /**
   * A connection for subscriptions was lost or made. `isOwn` says whether it is the one of this
   * channel.
   */
  interrupted?(isOwn: boolean): void;
}

/**
 * The streams that this instance reads: their subscriptions, and the comparisons that find entries
 * whose messages were lost. The broker and keys share them.
 */
export class RedisStreams implements Lifecycle, TailReader {
  readonly server: RedisServer;
  private readonly subscriber: Subscriber;
  private readonly feeds = new Map<string, Set<StreamFeed>>();
  private readonly listeners = new Map<string, Listener>();
  private readonly tails: StreamTails;
  /** The last event of this instance in each stream, to check later whether Redis still has it. */
  readonly published: PublishedEvents;
  /** Reads streams, for all feeds. */
  readonly reading: StreamReading;
  /** For what may happen to all streams, or all keys, at once. */
  readonly gatheredLog: GatheredLog;
  /** For how long entries were under way, by the server's clock. */
  readonly delay: Histogram;
  private readonly guard: Guard;
  private readonly auditors = new Set<() => Promise<unknown>>();
  private audit: NodeJS.Timeout | undefined;
  private offReady: (() => void) | undefined;
  private stopped = false;

  constructor(
    readonly connection: RedisConnection,
    readonly settings: RedisStreamsSettings,
    readonly logger: SseLogger,
  ) {
    this.server = new RedisServer(connection, logger);
    this.guard = new Guard(logger);
    this.delay = tallyOf(logger).delays.of({ 'sse.source': 'redis' });
    const events = {
      message: this.guard.wrap('A message from Redis', (key: string, text: string) =>
        this.receive(key, text),
      ),
      subscribed: this.guard.wrap('A subscription', (keys: readonly string[]) => {
        keys.forEach((key) => this.listeners.get(key)?.subscribed());
        this.tails.ask(keys);
      }),
      interrupted: this.guard.wrap('A subscription', (has: (key: string) => boolean) =>
        this.listeners.forEach((listener, key) => listener.interrupted?.(has(key))),
      ),
    };
    this.gatheredLog = new GatheredLog(logger);
    this.reading = new StreamReading(
      connection,
      this.server,
      settings.prefix,
      this.age,
      logger,
      this.gatheredLog,
    );
    this.tails = new StreamTails(this.reading, this);
    this.published = new PublishedEvents(settings.retain.age, (key, id) =>
      this.reading.verify(key, id),
    );
    // An announced loss needs no further check.
    this.reading.onLoss = (key) => this.published.forget(key);
    this.subscriber = new Subscriber(connection, this.server, events, logger);
  }

  /** Begins to compare open streams. The subscriber connects with the first stream. */
  async start(failFast: boolean): Promise<void> {
    this.offReady = this.connection.onReady(() => this.onReady());
    this.auditLater();
    if (failFast) {
      await this.server.known();
    } else {
      void this.server.known().catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.offReady?.();
    clearTimeout(this.audit);
    this.tails.stop();
    this.subscriber.stop();
    this.gatheredLog.stop();
  }

  /** Connects the subscriber before the first stream is opened. */
  connect(): void {
    this.subscriber.open();
  }

  open(key: string, sink: ChannelSink, options: StreamOptions = {}): StreamFeed {
    const feed = new StreamFeed(key, sink, options, this);
    const feeds = this.feeds.get(key);
    if (feeds) {
      feeds.add(feed);
      this.tails.ask([key]);
    } else {
      this.feeds.set(key, new Set([feed]));
      this.subscriber.add(key);
    }
    return feed;
  }

  /** Listens to a channel that has no stream. Returns a function that ends it. */
  listen(key: string, listener: Listener): () => void {
    this.listeners.set(key, listener);
    this.subscriber.add(key);
    return () => {
      this.listeners.delete(key);
      this.subscriber.remove(key);
    };
  }

  /**
   * Calls `auditor` whenever streams are compared: every `auditInterval`, and when the connection is
   * back. Returns a function that ends it.
   */
  onAudit(auditor: () => Promise<unknown>): () => void {
    this.auditors.add(auditor);
    return () => void this.auditors.delete(auditor);
  }

  /** The limits of a stream as the scripts take them: events, milliseconds, bytes; 0 for none. */
  get limits(): readonly [events: number, age: number, bytes: number] {
    const { events, bytes } = this.settings.retain;
    return [events, this.age, Number.isFinite(bytes) ? bytes : 0];
  }

  /** How many streams are read, as a message did not come. */
  get behind(): number {
    let count = 0;
    this.feeds.forEach((feeds) => (count += [...feeds].some((feed) => feed.isBehind) ? 1 : 0));
    return count;
  }

  isOpen(key: string): boolean {
    return this.feeds.has(key);
  }

  tailIs(key: string, id: string): void {
    this.feeds.get(key)?.forEach((feed) => feed.tailIs(id));
  }

  close(feed: StreamFeed): void {
    const feeds = this.feeds.get(feed.key);
    feeds?.delete(feed);
    if (feeds?.size === 0) {
      this.feeds.delete(feed.key);
      this.reading.forget(feed.key);
      this.subscriber.remove(feed.key);
    }
  }

  private get age(): number {
    return Number.isFinite(this.settings.retain.age) ? this.settings.retain.age : 0;
  }

  private receive(key: string, text: string): void {
    const feeds = this.feeds.get(key);
    if (!feeds) {
      this.listeners.get(key)?.message(text);
      return;
    }
    if (text === WAKE) {
      feeds.forEach((feed) => feed.wake());
      return;
    }
    const message = parseMessage(text);
    const version = message ? undefined : laterVersionOf(text);
    if (version !== undefined) {
      this.reading.noteLater(key, version);
    } else if (!message) {
      this.reading.noteForeign(key);
    }
    feeds.forEach((feed) => (message ? feed.receive(message) : feed.read()));
  }

  private onReady(): void {
    void this.server.known().catch(() => undefined);
    this.feeds.forEach((feeds) => feeds.forEach((feed) => feed.retryNow()));
    void this.compareAll();
  }

  private auditLater(): void {
    const { auditInterval } = this.settings;
    // Comparing a stream keeps it from expiring while it is read here.
    const interval = Math.min(auditInterval, this.settings.retain.age / 4);
    this.audit = setTimeout(
      () => void this.compareAll().finally(() => this.stopped || this.auditLater()),
      interval * (0.75 + Math.random() / 4),
    );
    this.audit.unref();
  }

  private async compareAll(): Promise<void> {
    this.tails.ask(this.feeds.keys());
    const others = [...this.auditors].map((audit) => audit());
    await Promise.all([this.published.verifyAll(), ...others]);
  }
}
