import { AsyncLocalStorage } from 'node:async_hooks';
import { checkChannelName } from '../../channel/channel-name.js';
import { ofKind } from '../../channel/source-kind.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import { SseError } from '../../channel/sse-error.js';
import type {
  ChannelFeed,
  ChannelSink,
  ChannelSource,
  Lifecycle,
  SseLogger,
} from '../../channel/source.js';
import { textOf } from '../../channel/value-text.js';
import { settledWithin } from '../../channel/deadline.js';
import { GatheredLog } from '../../channel/gathered-log.js';
import { LimitedLog } from '../../channel/limited-log.js';
import { reasonOf } from '../../channel/reason.js';
import { keyOptions, type CacheOptions, type KeyOptions } from './cache-options.js';
import { KeyFeed, type KeyFeedOwner } from './key-feed.js';
import { KeysForAll } from './key-for-all.js';
import { KeyPoll, STOP_WAIT_MS, type PolledKey } from './key-poll.js';
import type { KeyEvent, KeyReading, KeyStore, SharedPolls, Skipped } from './key-store.js';

/** The most sets of options that we remember, so that endpoints with equal options share channels. */
const MAX_OPTION_SETS = 1_000;

/** The reading of a key that this instance did not read, as another one may be the poller by now. */
const NOT_READ: KeyReading = { events: [] };

/** Feeds channels from keys: the channel's name is the key. */
export class CacheSource implements ChannelSource, Lifecycle, KeyFeedOwner {
  readonly poll: KeyPoll;
  readonly shared: SharedPolls | undefined;
  private readonly feeds = new Map<string, KeyFeed>();
  private readonly byOptions = new Map<string, ChannelSource>();
  private readonly returning = new Set<Promise<void>>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private readonly unsubscribe: (() => void)[] = [];
  /** Limited, as other programs can fill keys with values that cannot be sent. */
  private readonly skippedLog: LimitedLog;
  /** For what happens to keys, often to many at once. */
  private readonly keyLog: GatheredLog;
  private stopped = false;

  constructor(
    readonly store: KeyStore,
    logger: SseLogger,
  ) {
    ofKind('cache', this);
    this.skippedLog = new LimitedLog(logger);
    this.keyLog = new GatheredLog(logger);
    this.poll = new KeyPoll((keys) => this.read(keys), logger, store, this.keyLog);
    const forAll = new KeysForAll(this);
    this.shared = store.sharePolls?.({
      poll: (key, rate) => forAll.set(key, rate),
      onChange: () => this.feeds.forEach((feed) => feed.settle()),
    });
    const offSet = store.onSet?.((key) => this.wake(key));
    const offAvailable = store.onAvailable?.(() => this.poll.retry());
    this.unsubscribe.push(...[offSet, offAvailable].filter((off) => off !== undefined));
  }

  get polledKeys(): number {
    return this.poll.size;
  }

  /**
   * The same keys with other options. Equal options give the same source, so that endpoints share
   * their channels. With different options, the key is still polled once.
   *
   * @throws SseError `INVALID_OPTION`
   */
  with(options: CacheOptions): ChannelSource {
    const complete = keyOptions(options);
    if (complete.poller === 'elected' && !this.shared) {
      throw new SseError(
        'INVALID_OPTION',
        '`poller` is "elected", and the keys are in this process or in a cache of yours, where ' +
          'instances cannot share polls. Set `redis` and leave `cache` out, or leave `poller` out.',
      );
    }
    const name = JSON.stringify(Object.values({ ...complete, type: complete.type ?? null }));
    let source = this.byOptions.get(name);
    if (!source) {
      if (this.byOptions.size >= MAX_OPTION_SETS) {
        this.byOptions.clear();
      }
      source = ofKind('cache', { open: (key, sink) => this.openWith(key, sink, complete) });
      this.byOptions.set(name, source);
    }
    return source;
  }

  /**
   * Opens the key with the default options.
   * @throws SseError `INVALID_CHANNEL` when the text cannot be a key of this store
   */
  open(key: string, sink: ChannelSink): ChannelFeed {
    return this.openWith(key, sink, keyOptions({}));
  }

  /**
   * Sends a value to the readers of a key: a string as it is, anything else as JSON. Lone
   * surrogates, which no store can hold, become U+FFFD. While this instance reads the key, the source
   * appends the value at once, behind values that wait in the store. Otherwise the value waits there,
   * and no other value overwrites it. A watched key is set to the value. The caller has checked `type`
   * and `id`, with `outgoingEvent()`.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_EVENT`, `UNAVAILABLE` when the store
   * does not take it, `LIMIT_REACHED` when too many wait already
   */
  async sendKey(
    key: string,
    value: unknown,
    options: { readonly type?: string | undefined; readonly id?: string | undefined } = {},
  ): Promise<void> {
    this.checkKey(key);
    const { type, id } = options;
    const event: KeyEvent = { data: textOf(value).toWellFormed(), type: type?.toWellFormed(), id };
    if (this.stopped) {
      throw shuttingDown();
    }
    const feed = this.feeds.get(key);
    await this.detach(() => (feed ? feed.send(event) : this.store.push(key, event)));
  }

  /** Ends all polling. Values that have reached no reader go back into their keys. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.unsubscribe.splice(0).forEach((off) => off());
    await Promise.all([this.poll.stop(), this.shared?.stop()]);
    for (const feed of this.feeds.values()) {
      feed.end();
    }
    await this.store.stop?.();
    await settledWithin(Promise.all(this.returning), STOP_WAIT_MS);
    this.keyLog.stop();
  }

  private openWith(key: string, sink: ChannelSink, options: KeyOptions): ChannelFeed {
    this.checkKey(key);
    let feed = this.feeds.get(key);
    if (!feed) {
      feed = new KeyFeed(key, this);
      this.feeds.set(key, feed);
    }
    return feed.open(sink, options);
  }

  private checkKey(key: string): void {
    checkChannelName(key);
    this.store.check?.(key);
  }

  private wake(key: string): void {
    const feed = this.feeds.get(key);
    if (feed) {
      this.poll.now(feed);
    }
  }

  /** Takes or looks, each on its own: a look that fails must not hide values that were taken. */
  private async read(feeds: readonly PolledKey[]): Promise<readonly KeyReading[]> {
    const readings = new Map<PolledKey, KeyReading>();
    const readAll = async (mode: PolledKey['reading'], read: KeyStore['look']) => {
      const of = feeds.filter(({ reading }) => reading === mode);
      if (of.length === 0) {
        return;
      }
      const [keys, known] = [of.map(({ key }) => key), of.map((feed) => feed.known)];
      try {
        const found = await read(keys, known);
        of.forEach((feed, index) => readings.set(feed, found[index]!));
      } catch (failure) {
        of.forEach((feed) => readings.set(feed, { events: [], failure }));
      }
    };
    await Promise.all([
      readAll('take', (keys) => this.store.take(keys)),
      readAll('watch', (keys, known) => this.store.look(keys, known)),
    ]);
    return feeds.map((feed) => readings.get(feed) ?? NOT_READ);
  }

  drop(feed: KeyFeed): void {
    if (this.feeds.get(feed.key) === feed) {
      this.feeds.delete(feed.key);
    }
  }

  reportSkipped(key: string, { count, why }: Skipped): void {
    const what = count === 1 ? 'A value was' : `${count} values were`;
    this.skippedLog.error(
      `${what} left out of the key ${JSON.stringify(key)}${count === 1 ? '' : ', the first for this reason'}: ` +
        `${why} Clients receive sse:reset.`,
    );
  }

  returnUnread(key: string, taken: readonly KeyEvent[], sent: readonly KeyEvent[]): void {
    const returned = this.putBack(key, taken, sent);
    this.returning.add(returned);
    void returned.finally(() => this.returning.delete(returned));
  }

  private async putBack(
    key: string,
    taken: readonly KeyEvent[],
    sent: readonly KeyEvent[],
  ): Promise<void> {
    try {
      if (taken.length > 0) {
        await this.store.giveBack?.(key, taken);
      }
      for (const event of sent) {
        await this.store.push(key, event);
      }
      this.wake(key);
    } catch (error) {
      const [name, reason] = [JSON.stringify(key), reasonOf(error)];
      this.keyLog.note(name, {
        level: 'error',
        cause: `put back: ${reason}`,
        line:
          `The last reader of the key ${name} has left, and ` +
          `${taken.length + sent.length} of its values could not be put back: ${reason}`,
        several: (count, keys) =>
          `The last readers of ${count} keys have left, and values of these could not be put back: ${keys}. ${reason}`,
      });
    }
  }
}
