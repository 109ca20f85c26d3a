import type { ChannelFeed, ChannelSink, SourceEvent } from '../../channel/source.js';
import type { KeyOptions } from './cache-options.js';
import { openChannel } from './key-channel.js';
import { KeyOutlets, sourceEvent, type Outlet } from './key-outlets.js';
import type { KeyPoll, PolledKey } from './key-poll.js';
import {
  tooLarge,
  type KeyEvent,
  type KeyReading,
  type KeyStore,
  type KnownValue,
  type SharedPolls,
  type Skipped,
} from './key-store.js';
import { SentEvents } from './sent-events.js';
import { WatchedValue } from './watched-value.js';

export interface KeyFeedOwner {
  readonly store: KeyStore;
  readonly poll: KeyPoll;
  /** Set if one instance can poll for all. */
  readonly shared: SharedPolls | undefined;
  /** Drops a feed without a channel and without a reading under way. */
  drop(feed: KeyFeed): void;
  /** Returns values to the store that had no reader left. */
  returnUnread(key: string, taken: readonly KeyEvent[], sent: readonly KeyEvent[]): void;
  /** Logs values that were left out. */
  reportSkipped(key: string, skipped: Skipped): void;
}

/**
 * One key of one store and all channels that it feeds. The key is polled once for all of them,
 * whatever their options, and each channel gets every value.
 */
export class KeyFeed implements PolledKey {
  private readonly outlets = new KeyOutlets();
  private readonly watched = new WatchedValue();
  private readonly sent = new SentEvents();
  /** Whether one instance, this one or another, polls the key for all. */
  private isShared = false;
  /** Whether a value may wait in the key, so that this instance reads it once, even if another polls. */
  private isDue = false;
  private gap = false;
  private busy = false;
  reading: 'take' | 'watch' = 'take';

  constructor(
    readonly key: string,
    private readonly owner: KeyFeedOwner,
  ) {}

  get interval(): number {
    return this.owner.store.polled && !this.isShared ? this.outlets.interval : Infinity;
  }

  get maxInterval(): number {
    return this.owner.store.polled && !this.isShared ? this.outlets.maxInterval : Infinity;
  }

  /** Feeds one more channel, for which it reads the key from `resume()` on. */
  open(sink: ChannelSink, options: KeyOptions): ChannelFeed {
    const follows = options.mode === 'take' && this.owner.store.follow !== undefined;
    const outlet: Outlet = { sink, options, follows, read: false };
    this.outlets.add(outlet);
    return openChannel(this.owner.store, this.key, outlet, {
      setRead: (read) => this.setRead(outlet, read),
      noteArrived: (event) => this.noteArrived(outlet, event),
      noteReset: (reason) => this.outlets.passesOn(outlet) && this.outlets.reset(reason),
      noteWaiting: () => outlet.read && this.readSoon(),
      current: () => this.current(outlet),
      close: () => {
        this.outlets.remove(outlet);
        this.settle();
      },
    });
  }

  private noteArrived(from: Outlet, { data, type, id }: SourceEvent): void {
    // A channel here may watch a key whose values other instances take: it gets them as well.
    if (this.outlets.passesOn(from)) {
      this.publish({ data, type, id });
    }
  }

  private setRead(outlet: Outlet, read: boolean): void {
    if (outlet.read !== read) {
      const before = this.outlets.mode;
      outlet.read = read;
      if (before === this.outlets.mode) {
        this.settle();
      } else {
        this.readSoon();
      }
    }
  }

  private readSoon(): void {
    this.isDue = true;
    this.settle();
    this.owner.poll.now(this);
  }

  /** Returns values that have reached nobody to the store, once polling has ended. */
  end(): void {
    this.outlets.clear();
    this.returnAll({ events: [] });
  }

  /** Sends an event of `sendKey`. Resolves once it is appended, or waits in the store. */
  async send(event: KeyEvent): Promise<void> {
    const { mode } = this.outlets;
    if (mode === undefined || (mode === 'take' && this.owner.store.follow)) {
      await this.owner.store.push(this.key, event);
    } else if (mode === 'watch') {
      await this.watched.write(async () => {
        await this.owner.store.set(this.key, event.data);
        this.publish(event);
      });
    } else {
      const appended = this.sent.add(event);
      this.owner.poll.now(this);
      await appended;
    }
  }

  /** The store's note of the watched value. */
  get known(): KnownValue | undefined {
    return this.watched.known;
  }

  begin(): void {
    this.busy = true;
    this.isDue = false;
    this.reading = this.outlets.mode ?? 'take';
    this.watched.beginLook();
    this.sent.beginReading();
  }

  receive(reading: KeyReading): boolean {
    this.busy = false;
    if (this.outlets.size === 0) {
      this.returnAll(reading);
      return false;
    }
    this.gap ||= reading.lost === true;
    if (this.gap && reading.failure === undefined) {
      this.gap = false;
      this.outlets.reset('listener-gap');
    }
    let news = reading.events.length > 0 || (reading.shared ?? 0) > 0;
    reading.events.forEach((event) => this.publish(event));
    if (reading.skipped) {
      this.noteSkipped(reading.skipped, reading.shared !== undefined);
    }
    if (this.reading === 'watch' && reading.failure === undefined && !reading.refused) {
      const change = this.watched.endLook(reading);
      if (typeof change === 'number') {
        this.noteSkipped({ count: 1, why: tooLarge(change) }, false);
      } else if (change) {
        this.publish(change, reading.known);
      }
      news ||= change !== undefined;
    }
    if (!reading.more) {
      news = this.sent.endReading((event) => this.publish(event)) || news;
    }
    this.isDue ||= reading.more === true || reading.failure !== undefined;
    if (!this.needed) {
      this.settle();
    }
    return news;
  }

  /** Whether somebody reads the key or something is on its way through it. */
  private get needed(): boolean {
    const polls = this.outlets.mode !== undefined && (!this.isShared || this.isDue);
    return this.outlets.size > 0 && (polls || this.sent.size > 0);
  }

  /** Begins or ends polling as the channels want it, here or by the poller of all instances. */
  settle(): void {
    const { shared } = this.owner;
    const rate = this.outlets.sharedRate;
    shared?.want(this.key, rate);
    this.isShared = rate !== undefined && shared?.work === true;
    if (this.needed) {
      this.owner.poll.add(this);
      return;
    }
    this.owner.poll.remove(this);
    if (this.outlets.size === 0 && !this.busy) {
      this.returnAll({ events: [] });
    }
  }

  private returnAll(reading: KeyReading): void {
    this.owner.drop(this);
    const taken = this.reading === 'take' ? reading.events : [];
    const sent: KeyEvent[] = [];
    this.sent.takeAll((event) => sent.push(event));
    if (taken.length + sent.length > 0) {
      this.owner.returnUnread(this.key, taken, sent);
    }
  }

  private publish(event: KeyEvent, known?: KnownValue): void {
    const refusal = this.outlets.publish(event);
    this.watched.note(event, refusal === undefined, known);
    if (refusal) {
      this.owner.reportSkipped(this.key, { count: 1, why: refusal.message });
    }
  }

  /** @param isAnnounced whether readers already got a reset */
  private noteSkipped(skipped: Skipped, isAnnounced: boolean): void {
    this.owner.reportSkipped(this.key, skipped);
    if (!isAnnounced) {
      this.outlets.reset('skipped-event');
    }
  }

  private current({ options }: Outlet): SourceEvent | undefined {
    const { present } = this.watched;
    return options.mode === 'watch' && present ? sourceEvent(present, options) : undefined;
  }
}
