import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import { Outage } from '../../channel/outage.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import { PRESENCE_BEAT } from './lua/lua.generated.js';
import { DeadInstances } from './dead-instances.js';
import { callScript } from './redis-call.js';
import { refusalOf } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';

/** How many beats fit into the time after which an instance counts as dead. */
const BEATS = 6;
/** The part of that time for which a beat holds; the rest is for others to find out, and to remove. */
const ALIVE = 4 / BEATS;
/** The most channels that one beat registers, and that one removal works on at a time. */
const CHANNELS_AT_ONCE = 1_000;
/** For how long a channel without seats stays registered, in milliseconds. */
const IDLE_MS = 60_000;
/** The most former names. With a Cluster that fails node by node there may be several at a time. */
const MOST_FORMER = 32;
const RETRY = { first: 50, most: 1_000 };

interface Owner {
  /** What was put may be lost: all seats are to be put again. */
  lost(): void;
  /** Removes the seats of an instance in a channel. Resolves with how many there were. */
  remove(instance: string, channel: string): Promise<number>;
}

/**
 * Shows that this instance lives, by one call now and then, whatever the number of its connections. The
 * same call registers the channels in which it is about to have seats, so that others find them when it
 * dies, and tells it which instances have died.
 *
 * An instance that may have lost seats goes on under another name. So nothing that is late, or that a
 * failover has brought back, is taken for its own: all seats of the former name go.
 */
export class PresenceBeats {
  /** The name of this instance. */
  instance = newName();
  private isNew = true;
  /** The names before, whose seats are to go once all seats were put under the present one. */
  formers: readonly string[] = [];
  private readonly registered = new Set<string>();
  private readonly wanted = new Set<string>();
  /** Since when this instance has no seats in a channel, on the clock of `monotonicNow()`. */
  private readonly idle = new Map<string, number>();
  /** How many puts are under way, and how many beats there were since the last of them. */
  private puts = 0;
  private calm = 0;
  private readonly dead: DeadInstances;
  private readonly interval: number;
  private readonly stopped = new AbortController();
  private readonly detach = AsyncLocalStorage.snapshot();
  private readonly releases: (() => void)[] = [];
  private readonly refusal: Outage;
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private failures = 0;

  constructor(
    private readonly streams: RedisStreams,
    private readonly timeout: number,
    private readonly owner: Owner,
  ) {
    this.interval = Math.round(timeout / BEATS);
    this.refusal = new Outage(streams.logger, 'presence');
    const key = (name: string): string => this.key(name);
    this.dead = new DeadInstances(streams.connection, key, owner.remove);
  }

  start(): void {
    const { connection } = this.streams;
    this.releases.push(connection.onReady(() => this.distrust()));
    if (connection.isCluster) {
      const nothing = () => undefined;
      const listener = {
        message: nothing,
        subscribed: nothing,
        interrupted: () => this.distrust(),
      };
      this.releases.push(this.streams.listen(this.key('changes'), listener));
    }
    this.timer = this.detach(() => setInterval(() => void this.beat(), this.interval).unref());
    void this.beat();
  }

  stop(): void {
    this.stopped.abort();
    clearInterval(this.timer);
    this.releases.forEach((release) => release());
  }

  /** Has the seats of this instance go after `leaveAfter` milliseconds. */
  async end(leaveAfter: number): Promise<void> {
    await this.beating;
    if (!this.isNew) {
      // What dies now is for others to find.
      await this.call(leaveAfter, 0, [], []).catch(() => undefined);
    }
  }

  /** Counts a put that is under way. */
  async busy<T>(put: Promise<T>): Promise<T> {
    this.puts++;
    try {
      return await put;
    } finally {
      this.puts--;
    }
  }

  /**
   * Resolves once others would find the seats of this instance in a channel.
   * @throws SseError `CLOSED`, and for what Redis refuses
   */
  async register(channel: string): Promise<void> {
    this.idle.delete(channel);
    while (!this.registered.has(channel)) {
      if (this.stopped.signal.aborted) {
        throw shuttingDown();
      }
      this.wanted.add(channel);
      await (this.next ??= this.detach(() => this.beatNext()));
    }
  }

  /** Notes whether this instance has no seats in a channel any more. */
  note(channel: string, isEmpty: boolean): void {
    if (!isEmpty) {
      this.idle.delete(channel);
    } else if (!this.idle.has(channel)) {
      this.idle.set(channel, monotonicNow());
    }
  }

  /** What was put may be lost, or what was removed may be there again. */
  private distrust(): void {
    // Under a new name nothing was put yet.
    if (!this.isNew) {
      this.formers = [...this.formers, this.instance].slice(-MOST_FORMER);
      this.instance = newName();
      this.isNew = true;
      this.registered.clear();
      this.idle.clear();
      this.owner.lost();
    }
  }

  /** Waits for a beat that begins from now on, for all who have come meanwhile. */
  private async beatNext(): Promise<void> {
    await (this.beating ?? setImmediate());
    this.next = undefined;
    await this.beat();
  }

  private beat(): Promise<void> {
    return (this.beating ??= this.beatOnce().finally(() => (this.beating = undefined)));
  }

  /** Never rejects. Takes a while after a failure. */
  private async beatOnce(): Promise<void> {
    const { instance, timeout } = this;
    const { signal } = this.stopped;
    const added = [...this.wanted].slice(0, CHANNELS_AT_ONCE);
    const left = this.longIdle();
    left.forEach((channel) => this.registered.delete(channel));
    try {
      const [isKnown, dead] = await this.call(timeout * ALIVE, timeout / 3, added, left);
      this.failures = 0;
      this.refusal.end('Redis lets this instance be present again.');
      dead.forEach((name) => void this.dead.remove(name));
      if (instance !== this.instance) {
        return;
      }
      if (!isKnown) {
        this.distrust();
        return;
      }
      this.isNew = false;
      for (const channel of added) {
        this.wanted.delete(channel);
        this.registered.add(channel);
      }
      this.calm = this.puts > 0 ? 0 : this.calm + 1;
      if (this.calm >= 2) {
        this.formers = [];
      }
    } catch (error) {
      const { address } = this.streams.connection;
      const refused = refusalOf(error as Error, address, this.key('instances'));
      if (refused && !signal.aborted) {
        this.refusal.begin(`This instance cannot be present: ${refused.message}`);
      }
      await sleep(backoff(this.failures++, RETRY), undefined, { signal }).catch(() => undefined);
    }
  }

  private async call(
    alive: number,
    removal: number,
    added: readonly string[],
    left: readonly string[],
  ): Promise<[isKnown: boolean, dead: readonly string[]]> {
    const { instance, isNew, interval, formers } = this;
    const [isKnown, ...dead] = (await callScript(this.streams.connection, {
      script: PRESENCE_BEAT,
      keys: [this.key('instances'), this.key('dead'), this.key(`channels:${instance}`)],
      args: [instance, isNew ? 1 : 0, Math.round(alive), interval, Math.round(removal)].concat(
        [formers.length, ...formers],
        [added.length, ...added, ...left],
      ),
    })) as [number, ...string[]];
    return [isKnown === 1, dead];
  }

  /** The channels in which this instance has had no seats for long. */
  private longIdle(): readonly string[] {
    const channels: string[] = [];
    for (const [channel, since] of this.idle) {
      if (monotonicNow() - since < IDLE_MS || channels.length === CHANNELS_AT_ONCE) {
        break;
      }
      this.idle.delete(channel);
      channels.push(channel);
    }
    return channels;
  }

  /** All in one hash slot, which is not that of a channel. */
  private key(name: string): string {
    return `${this.streams.settings.prefix}{presence}:${name}`;
  }
}

/** Another one with each start, and after each loss. */
function newName(): string {
  return randomBytes(9).toString('base64url');
}
