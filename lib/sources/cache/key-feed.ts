import type { ChannelFeed, ChannelSink, OutgoingEvent, SourceEvent } from '../../channel/source.js';
import type { KeyOptions } from './cache-options.js';
import type { KeyPoll, PolledKey } from './key-poll.js';
import type { KeyEvent, KeyReading, KeyStore } from './key-store.js';
import type { Candidacy } from './poller-election.js';

/**
 * How long an instance that was not elected waits for the one that was, in milliseconds, before
 * it takes what `sendKey` has sent.
 */
const STAND_IN_AFTER_MS = 250;

/** What a key's feed needs of its source. */
export interface KeyFeedOwner {
  readonly store: KeyStore;
  readonly poll: KeyPoll;
  /** The feed has no channel any more and nothing under way. */
  drop(feed: KeyFeed): void;
  /** Puts back what was taken or sent while the last channel closed. */
  returnUnread(key: string, taken: readonly KeyEvent[], sent: readonly KeyEvent[]): void;
}

/** One channel that is fed by the key. */
interface Outlet {
  readonly sink: ChannelSink;
  readonly options: KeyOptions;
  /** Whether the channel follows what all instances take, so that nothing is appended to it here. */
  readonly follows: boolean;
  read: boolean;
}

interface Sending {
  readonly event: KeyEvent;
  readonly done: () => void;
}

/**
 * One key of one store and all channels that it feeds: however many there are and
 * whatever their options, the key is polled once, and each gets every value.
 */
export class KeyFeed implements PolledKey {
  private readonly outlets = new Set<Outlet>();
  /** Events of `sendKey` that follow on the next reading, so that they keep their place. */
  private queued: Sending[] = [];
  /** Events that follow on the reading that is under way. */
  private travelling: Sending[] = [];
  private present: KeyEvent | undefined;
  private gap = false;
  private busy = false;
  private readMode: 'take' | 'watch' | 'not' = 'take';
  /** Set while one of several instances is to be elected to poll the key. */
  private candidacy: Candidacy | undefined;
  /** Polls once in place of the elected instance, which has not. */
  private standsIn = false;
  private standIn: NodeJS.Timeout | undefined;
  /** Counts what has come from the instances that take the key. */
  private followed = 0;
  /** Counts the writes of a watched key: a look that overlaps one may bring an old value. */
  private writes = 0;
  private writing = 0;
  private writesAtBegin = -1;

  constructor(
    readonly key: string,
    private readonly owner: KeyFeedOwner,
  ) {}

  get interval(): number {
    return this.owner.store.polled ? this.least('interval') : Infinity;
  }

  get maxInterval(): number {
    return this.owner.store.polled ? this.least('maxInterval') : Infinity;
  }

  /** How the key is to be read now; undefined when nobody reads it. */
  get mode(): 'take' | 'watch' | undefined {
    let mode: 'take' | 'watch' | undefined;
    for (const outlet of this.outlets) {
      if (outlet.read && mode !== 'take') {
        mode = outlet.options.mode;
      }
    }
    return mode;
  }

  /** How the key is being read; `not` when another instance may be polling it. */
  get reading(): 'take' | 'watch' | 'not' {
    return this.readMode;
  }

  /** Feeds one more channel. It is read from `resume()` on. */
  open(sink: ChannelSink, options: KeyOptions): ChannelFeed {
    const follows = options.mode === 'take' && this.owner.store.follow !== undefined;
    const outlet: Outlet = { sink, options, follows, read: false };
    this.outlets.add(outlet);
    if (follows) {
      return this.openFollowing(outlet);
    }
    // Whatever comes waits in the key until it is polled, so nothing can be missed.
    sink.live();
    return {
      resume: () => this.setRead(outlet, true),
      pause: () => this.setRead(outlet, false),
      current: () => this.current(outlet),
      close: () => this.close(outlet),
    };
  }

  private openFollowing(outlet: Outlet): ChannelFeed {
    const { sink, options } = outlet;
    let [wanted, live] = [false, false];
    // The key is not polled before its stream is followed: the value would pass by.
    const settle = () => this.setRead(outlet, wanted && live);
    const following: ChannelSink = {
      live: (position) => {
        live = true;
        sink.live(position);
        settle();
      },
      append: (event) => {
        this.followed++;
        this.tellWatchers(outlet, event);
        return sink.append(event);
      },
      reset: (reason, position) => sink.reset(reason, position),
    };
    const feed = this.owner.store.follow!(this.key, following, {
      shape: (event) => ({ ...event, ...sourceEvent(event, options) }),
      onWake: () => outlet.read && this.wake(),
    });
    return {
      history: feed.history,
      resume: () => {
        wanted = true;
        settle();
      },
      pause: () => {
        wanted = false;
        settle();
      },
      close: () => {
        feed.close();
        this.close(outlet);
      },
    };
  }

  /** A value waits for the key's readers. */
  private wake(): void {
    this.owner.poll.now(this);
    if (this.candidacy?.isElected === false) {
      const before = this.followed;
      this.standIn ??= setTimeout(
        // Behind what has arrived and not been looked at yet, as this process was busy.
        () => setImmediate(() => this.settleStandIn(before)),
        STAND_IN_AFTER_MS,
      ).unref();
    }
  }

  private settleStandIn(before: number): void {
    this.standIn = undefined;
    this.standsIn = this.followed === before;
    this.settle();
  }

  private setRead(outlet: Outlet, read: boolean): void {
    if (outlet.read !== read) {
      const before = this.mode;
      outlet.read = read;
      this.settle();
      if (before !== this.mode) {
        this.owner.poll.now(this);
      }
    }
  }

  private close(outlet: Outlet): void {
    this.outlets.delete(outlet);
    outlet.read = false;
    this.settle();
  }

  /** Channels that watch a key which others take have to be given what was taken. */
  private tellWatchers(from: Outlet, { data, type, id }: SourceEvent): void {
    for (const outlet of this.outlets) {
      if (outlet.follows) {
        if (outlet !== from) {
          // One of those that follow tells them.
          return;
        }
        break;
      }
    }
    this.publish({ data, type, id });
  }

  /** Nothing is polled any more: what is still on its way goes back to the store. */
  end(): void {
    this.outlets.clear();
    this.stand();
    this.returnAll({ events: [] });
  }

  /** Hands an event of `sendKey` on; resolves once it is appended, or waits in the store. */
  async send(event: KeyEvent): Promise<void> {
    const { mode } = this;
    if (mode === undefined || (mode === 'take' && this.owner.store.follow)) {
      await this.owner.store.push(this.key, event);
    } else if (mode === 'watch') {
      await this.write(event);
    } else {
      await new Promise<void>((done) => {
        this.queued.push({ event, done });
        this.owner.poll.now(this);
      });
    }
  }

  begin(): void {
    this.busy = true;
    const mayPoll = this.candidacy?.mayPoll !== false || this.standsIn;
    this.readMode = mayPoll ? (this.mode ?? 'take') : 'not';
    this.writesAtBegin = this.writing > 0 ? -1 : this.writes;
    this.travelling.push(...this.queued);
    this.queued = [];
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
      this.outlets.forEach(({ sink, follows }) => follows || sink.reset('listener-gap'));
    }
    let news = reading.events.length > 0 || (reading.shared ?? 0) > 0;
    reading.events.forEach((event) => this.publish(event));
    if (this.readMode === 'watch' && reading.failure === undefined && !reading.refused) {
      news = this.compare(reading.value) || news;
    }
    if (!reading.more) {
      const sent = this.travelling.splice(0);
      news ||= sent.length > 0;
      sent.forEach(({ event }) => this.publish(event));
      sent.forEach(({ done }) => done());
    }
    this.standsIn = this.standsIn && reading.more === true;
    if (!this.needed) {
      this.settle();
    }
    return news;
  }

  /** Whether somebody reads the key or something is on its way through it. */
  private get needed(): boolean {
    const sending = this.queued.length + this.travelling.length > 0;
    const elected = this.candidacy?.isElected !== false || this.standsIn;
    const polls = this.mode !== undefined && elected;
    return this.outlets.size > 0 && (polls || sending);
  }

  private settle(): void {
    this.stand();
    if (this.needed) {
      this.owner.poll.add(this);
      return;
    }
    this.owner.poll.remove(this);
    if (this.outlets.size === 0 && !this.busy) {
      this.returnAll({ events: [] });
    }
  }

  /** Stands for election, or no longer, as the readers want it. */
  private stand(): void {
    const name = this.electedFor;
    if (name !== this.candidacy?.name) {
      this.candidacy?.withdraw();
      const onChange = () => {
        this.settle();
        this.owner.poll.now(this);
      };
      this.candidacy = name === undefined ? name : this.owner.store.election?.stand(name, onChange);
    }
  }

  /** What one instance is elected for; `undefined` when each polls. */
  private get electedFor(): string | undefined {
    if (this.mode !== 'take') {
      return undefined;
    }
    for (const { read, options } of this.outlets) {
      if (read && options.mode === 'take' && options.poller === 'each') {
        return undefined;
      }
    }
    // One that polls less often cannot stand in for one that polls more often.
    return `${this.interval}/${this.maxInterval} ${this.key}`;
  }

  private returnAll(reading: KeyReading): void {
    clearTimeout(this.standIn);
    const sent = [...this.travelling.splice(0), ...this.queued.splice(0)];
    this.owner.drop(this);
    const taken = this.readMode === 'take' ? reading.events : [];
    if (taken.length + sent.length > 0) {
      this.owner.returnUnread(
        this.key,
        taken,
        sent.map(({ event }) => event),
      );
    }
    sent.forEach(({ done }) => done());
  }

  private async write(event: KeyEvent): Promise<void> {
    this.writing++;
    try {
      await this.owner.store.set(this.key, event.data);
      this.publish(event);
    } finally {
      this.writing--;
      this.writes++;
    }
  }

  private compare(value: string | undefined): boolean {
    if (this.writing > 0 || this.writesAtBegin !== this.writes || this.present?.data === value) {
      return false;
    }
    if (value === undefined) {
      this.present = undefined;
      return false;
    }
    this.publish({ data: value });
    return true;
  }

  private publish(event: KeyEvent): void {
    this.present = event;
    for (const { sink, options, follows } of this.outlets) {
      if (!follows) {
        sink.append(sourceEvent(event, options));
      }
    }
  }

  private current({ options }: Outlet): SourceEvent | undefined {
    return options.mode === 'watch' && this.present
      ? sourceEvent(this.present, options)
      : undefined;
  }

  private least(option: 'interval' | 'maxInterval'): number {
    let least = Infinity;
    for (const { options, read } of this.outlets) {
      least = read ? Math.min(least, options[option]) : least;
    }
    return least;
  }
}

function sourceEvent({ data, type, id }: KeyEvent, options: KeyOptions): OutgoingEvent {
  return {
    data,
    type: type ?? options.type,
    id,
    end: options.doneSignal === data ? true : undefined,
  };
}
