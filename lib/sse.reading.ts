import type { Observable } from 'rxjs';
import { checkedNames } from './channel/channel-name.js';
import type { SseEvent } from './channel/sse-event.js';
import type { Delivery } from './delivery/delivery.js';
import { STREAM_OPTIONS, type ResumeOptions, type StreamOptions } from './setup/channel-options.js';
import type { SseSettings } from './setup/settings.js';
import type { SseSources } from './setup/sse-sources.js';
import type { CacheOptions } from './sources/cache/cache-options.js';
import { PollSource } from './sources/poll/poll-source.js';
import type { PollOptions } from './sources/poll/poll.options.js';
import { readOptions } from './sources/options/option-table.js';
import type { ListenOptions } from './sources/postgres/listen.options.js';

/** The part of `SseService` that reads channels as Observables. */
export abstract class SseReading {
  constructor(
    private readonly settings: SseSettings,
    /** Everything between the logs of the channels and the clients. */
    protected readonly delivery: Delivery,
    /** Whatever feeds channels, the broker of `send()` among them. */
    protected readonly sources: SseSources,
  ) {}

  /**
   * Reads one or several channels. Each subscriber has its own place in them; the source feeds each
   * channel once. Emits every event, `sse:reset` among them (see `isReset`), and completes after the
   * last event of the run.
   *
   * @param channels a channel's name, or several
   * @param options the source of the channels, and where to start
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  stream<T extends string | object = any>(
    channels: string | readonly string[],
    options: StreamOptions = {},
  ): Observable<SseEvent<T>> {
    const names = checkedNames(channels);
    readOptions(STREAM_OPTIONS, options, '', 'stream(): ');
    const source = this.sources.sourceFor(options);
    const isOfSet = typeof channels !== 'string';
    const requests = names.map((name) => ({ source, name, isOfSet }));
    return this.delivery.observe(requests, options.lastEventId);
  }

  /**
   * Reads a cache key: each value that is written to it is an event.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  streamKey<T extends string | object = any>(
    key: string,
    options: CacheOptions & ResumeOptions = {},
  ): Observable<SseEvent<T>> {
    return this.stream<T>(key, { ...options, source: 'cache' });
  }

  /**
   * Reads a Postgres notification channel.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  streamPostgres<T extends string | object = any>(
    channel: string,
    options: ListenOptions & ResumeOptions = {},
  ): Observable<SseEvent<T>> {
    return this.stream<T>(channel, { ...options, source: 'postgres' });
  }

  /**
   * Calls a function again and again, and emits its results, except `null` and `undefined`. One loop
   * serves all subscribers of the Observable, and pauses while there are none. When a call throws, the
   * module logs that and calls again.
   *
   * @param read returns the next value: a string as it is, everything else as `serialize` writes it, or
   * as JSON
   * @throws SseError `INVALID_OPTION`
   */
  poll<T extends string | object>(
    read: () => T | null | undefined | Promise<T | null | undefined>,
    options: PollOptions = {},
  ): Observable<SseEvent<T>> {
    const { doneSignal = this.settings.doneSignal, serialize = this.settings.serialize } = options;
    const source = new PollSource(read, { ...options, doneSignal, serialize }, this.sources.log);
    const requests = [{ source, name: 'poll' }];
    return this.delivery.observe(requests);
  }
}
