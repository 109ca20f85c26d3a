import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { checkChannelName } from '../channel/channel-name.js';
import type { PresenceStore } from '../channel/presence.js';
import type { ChannelSource } from '../channel/source.js';
import { shuttingDown } from '../channel/shutting-down.js';
import { SseError } from '../channel/sse-error.js';
import { settledWithin } from '../channel/deadline.js';
import { Delivery } from '../delivery/delivery.js';
import { GuardedObservable } from '../delivery/guarded-observable.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { SseSources } from '../setup/sse-sources.js';
import { readOptions } from '../sources/options/option-table.js';
import { PRESENCE_LIST_OPTIONS, type PresenceListOptions } from './presence.options.js';
import { PresenceWatch } from './presence-watch.js';
import { Seats } from './seats.js';
import {
  presenceOf,
  type SseOccupied,
  type SsePresence,
  type SsePresenceStats,
  type SseVacated,
} from './sse-presence.js';

/** How long the shutdown waits until the store knows of it, in milliseconds. */
const CLOSE_MS = 1_000;

type OccupancyEvent = SseOccupied | SseVacated;

/** Knows who is present in which channels, and tells of it. */
@Injectable()
export class Presence {
  private opened: PresenceStore | undefined;
  private seats: Seats | undefined;
  private isClosed = false;
  private readonly watches = new Map<string, PresenceWatch>();
  private readonly listeners = new Set<(event: OccupancyEvent) => void>();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly delivery: Delivery,
    private readonly sources: SseSources,
  ) {}

  /**
   * Counts the connections of an endpoint with this source from now on.
   * @throws SseError `INVALID_OPTION` for a source that is not the broker, or a broker that cannot do it
   */
  countIn(source: ChannelSource): void {
    if (source !== this.sources.broker) {
      throw new SseError(
        'INVALID_OPTION',
        '`presence` counts the clients of what `send()` publishes, and this endpoint has another ' +
          '`source`. Leave one of them out.',
      );
    }
    const { store } = this;
    if (!this.seats) {
      const services = { detach: this.delivery.detach, log: this.sources.log };
      this.seats = new Seats(store, this.settings.presenceGrace, services);
      this.delivery.countBy(this.seats);
    }
  }

  /** @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `UNAVAILABLE`, `CLOSED` */
  async list(channel: string, options: PresenceListOptions): Promise<SsePresence> {
    checkChannelName(channel);
    const { after, limit } = readOptions(PRESENCE_LIST_OPTIONS, options, '', 'presence(): ');
    return presenceOf(await this.store.list(channel, after, limit));
  }

  /** @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `UNAVAILABLE`, `CLOSED` */
  async count(channel: string): Promise<SsePresenceStats> {
    checkChannelName(channel);
    const { members, connections } = await this.store.count(channel);
    return { members, connections };
  }

  /** Emits who is present, and again after each change. @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `CLOSED` */
  observe(channel: string): Observable<SsePresence> {
    checkChannelName(channel);
    const { store } = this;
    return new GuardedObservable(this.delivery.guard, 'presence$()', (subscriber) => {
      if (this.isClosed) {
        subscriber.complete();
        return;
      }
      let watch = this.watches.get(channel);
      if (!watch) {
        watch = this.delivery.detach(() => new PresenceWatch(channel, store, this.sources.log));
        this.watches.set(channel, watch);
      }
      const used = watch;
      used.add(subscriber);
      return () => {
        used.remove(subscriber);
        if (!used.isUsed && this.watches.get(channel) === used) {
          this.watches.delete(channel);
          used.stop();
        }
      };
    });
  }

  /** How many clients are present in channels by connections of this instance, each once for a channel. */
  get size(): number {
    return this.seats?.size ?? 0;
  }

  /** Calls a listener that never throws when a channel gets its first reader, or loses its last one. */
  listen(listener: (event: OccupancyEvent) => void): void {
    this.listeners.add(listener);
  }

  /** Ends what is observed, and gives the seats of this instance up: others see to it after the grace. */
  async close(): Promise<void> {
    this.isClosed = true;
    const { opened, settings, delivery } = this;
    this.watches.forEach((watch) => watch.stop());
    this.watches.clear();
    this.seats?.stop();
    const what = 'close() of the presence store';
    const closed = delivery.guard.run(what, () => opened?.close(settings.presenceGrace));
    await settledWithin(Promise.resolve(closed), CLOSE_MS);
  }

  /** @throws SseError `INVALID_OPTION` for a broker that cannot do it */
  private get store(): PresenceStore {
    if (this.isClosed) {
      throw shuttingDown();
    }
    return (this.opened ??= this.delivery.detach(() => this.open()));
  }

  private open(): PresenceStore {
    const { broker } = this.sources;
    const tell = (event: OccupancyEvent): void => {
      this.listeners.forEach((listener) => listener(event));
    };
    const store = broker.openPresence?.(
      {
        occupied: (channel) => tell({ type: 'occupied', channel }),
        vacated: (channel) => tell({ type: 'vacated', channel }),
        lost: (channel) => this.seats?.putAgain(channel),
      },
      { timeout: this.settings.presenceTimeout },
    );
    if (!store) {
      throw new SseError(
        'INVALID_OPTION',
        'The broker does not know who is present. Give it `openPresence()`, or leave presence out.',
      );
    }
    return store;
  }
}
