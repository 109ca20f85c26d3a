import { Channel } from './channel.js';
import type { ChannelLimits } from './channel-limits.js';
import type { SourceServices } from './checked-history.js';
import { monotonicNow } from './clock.js';
import type { Guard } from './guard.js';
import { LimitedLog } from './limited-log.js';
import { openFeed, type EndingFeed } from './open-feed.js';
import { SseError } from './sse-error.js';
import { inSlices } from './slices.js';
import { sourceKindOf } from './source-kind.js';
import type { ChannelSource, SseLogger } from './source.js';
import { Turns } from './turns.js';

/** The module's options that the registry uses. */
export interface ChannelRegistryOptions {
  readonly limits: ChannelLimits;
  /** How long a channel is kept after its last use, in milliseconds. */
  readonly linger: number;
  readonly maxChannels: number;
  /** Called after each append to a channel; schedules its readers. */
  readonly onAppend: (channel: Channel, count?: number) => void;
  /** Runs a function outside of any request's async context. */
  readonly detach: <R>(run: () => R) => R;
  /** Runs code of the application's sources, which may throw. */
  readonly guard: Guard;
  readonly log: SseLogger;
}

interface OpenChannel {
  readonly channel: Channel;
  readonly source: ChannelSource;
  users: number;
  lastUse: number;
  timer: NodeJS.Timeout | undefined;
}

/** The most pages of a source's history that are read at the same time. */
const MOST_READS = 64;
/** How often the registry applies the age limit to channels that receive no events. */
const SWEEP_MS = 15_000;

/** Opens one channel per source and name, shares it, and drops it some time after its last use. */
export class ChannelRegistry {
  private readonly bySource = new Map<ChannelSource, Map<string, OpenChannel>>();
  private readonly opened = new Map<Channel, OpenChannel>();
  /** Channels without users, the longest unused first. */
  private readonly idle = new Set<OpenChannel>();
  private readonly services = new WeakMap<ChannelSource, SourceServices>();
  /** Takes warnings about sources that break their contract. */
  private readonly log: LimitedLog;
  private readonly sweep: NodeJS.Timeout;
  private isTrimming = false;
  private isClosed = false;

  constructor(private readonly options: ChannelRegistryOptions) {
    this.log = new LimitedLog(options.log);
    this.sweep = options.detach(() => setInterval(() => void this.trim(), SWEEP_MS));
    this.sweep.unref();
  }

  get channels(): IterableIterator<Channel> {
    return this.opened.keys();
  }

  get size(): number {
    return this.opened.size;
  }

  /** What feeds a channel; `undefined` for one that is not open any more. */
  sourceOf(channel: Channel): ChannelSource | undefined {
    return this.opened.get(channel)?.source;
  }

  /** The open channels with a name: one for each source that has it. */
  *named(name: string): IterableIterator<Channel> {
    for (const names of this.bySource.values()) {
      const open = names.get(name);
      if (open) {
        yield open.channel;
      }
    }
  }

  /**
   * Returns the channel and counts one more user, who must call `release` later.
   * @throws SseError `CLOSED` after `close()`; `LIMIT_REACHED` when too many channels are in use
   * @throws SseError `INVALID_CHANNEL` when the source cannot serve that name
   */
  acquire(source: ChannelSource, name: string): Channel {
    const open = this.find(source, name) ?? this.open(source, name);
    clearTimeout(open.timer);
    open.timer = undefined;
    if (open.users++ === 0) {
      this.idle.delete(open);
      this.tell(open, 'resume');
    }
    return open.channel;
  }

  /**
   * Counts one user less. A channel without users lingers for clients that return, unless they would read its
   * history all the same.
   */
  release(channel: Channel): void {
    const open = this.opened.get(channel);
    if (open && --open.users === 0) {
      this.tell(open, 'pause');
      this.lingerOn(open, (channel.feed as EndingFeed).isSpent ? 0 : this.options.linger);
    }
  }

  /** Returns the channel, which lingers from now on if nobody reads it. @throws as `acquire()` */
  touch(source: ChannelSource, name: string): Channel {
    const open = this.find(source, name) ?? this.open(source, name);
    open.lastUse = monotonicNow();
    if (open.users === 0) {
      this.idle.delete(open);
      this.idle.add(open);
      if (!open.timer) {
        this.lingerOn(open);
      }
    }
    return open.channel;
  }

  /** Drops every channel and refuses to open more. */
  close(): void {
    this.isClosed = true;
    clearInterval(this.sweep);
    for (const open of this.opened.values()) {
      this.drop(open);
    }
  }

  private find(source: ChannelSource, name: string): OpenChannel | undefined {
    return this.bySource.get(source)?.get(name);
  }

  private open(source: ChannelSource, name: string): OpenChannel {
    if (this.isClosed) {
      throw new SseError(
        'CLOSED',
        'The application is shutting down: no channel is opened any more.',
      );
    }
    if (this.opened.size >= this.options.maxChannels) {
      this.dropLongestUnused();
    }
    const { limits, onAppend } = this.options;
    const channel = new Channel(name, limits, onAppend, this.servicesOf(source));
    channel.feedFrom(this.options.detach(() => openFeed(source, name, channel)));
    const open: OpenChannel = {
      channel,
      source,
      users: 0,
      lastUse: monotonicNow(),
      timer: undefined,
    };
    let names = this.bySource.get(source);
    if (!names) {
      this.bySource.set(source, (names = new Map()));
    }
    names.set(name, open);
    this.opened.set(channel, open);
    return open;
  }

  private lingerOn(open: OpenChannel, linger = this.options.linger): void {
    open.lastUse = monotonicNow();
    this.idle.delete(open);
    this.idle.add(open);
    this.options.detach(() => this.dropAfter(open, linger));
  }

  private dropAfter(open: OpenChannel, linger: number, delay = linger): void {
    open.timer = setTimeout(() => {
      const left = open.lastUse + linger - monotonicNow();
      if (left > 0) {
        this.dropAfter(open, linger, left);
      } else {
        this.drop(open);
      }
    }, delay);
    open.timer.unref();
  }

  private drop(open: OpenChannel): void {
    clearTimeout(open.timer);
    this.idle.delete(open);
    this.opened.delete(open.channel);
    const names = this.bySource.get(open.source);
    names?.delete(open.channel.name);
    if (names?.size === 0) {
      this.bySource.delete(open.source);
    }
    this.tell(open, 'close');
    open.channel.close();
  }

  private servicesOf(source: ChannelSource): SourceServices {
    let services = this.services.get(source);
    if (!services) {
      const received = this.log.tally.received[sourceKindOf(source)];
      services = { log: this.log, reads: new Turns(MOST_READS), received };
      this.services.set(source, services);
    }
    return services;
  }

  /** Calls a method of the channel's feed, if the feed has it. */
  private tell({ channel }: OpenChannel, what: 'resume' | 'pause' | 'close'): void {
    const { detach, guard } = this.options;
    guard.run(`${what}() of the source of the channel ${JSON.stringify(channel.name)}`, () =>
      detach(() => channel.feed?.[what]?.()),
    );
  }

  private dropLongestUnused(): void {
    const [oldest] = this.idle;
    if (!oldest) {
      this.log.tally.refusedChannels++;
      throw new SseError(
        'LIMIT_REACHED',
        `All ${this.options.maxChannels} channels are in use. Raise \`limits.channels\`, ` +
          'or let several clients share a channel.',
      );
    }
    this.drop(oldest);
  }

  private async trim(): Promise<void> {
    if (!this.isTrimming) {
      this.isTrimming = true;
      await inSlices(this.opened.keys(), ({ log }) => log.trim(monotonicNow()));
      this.isTrimming = false;
    }
  }
}
