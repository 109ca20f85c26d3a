import type { Observable } from 'rxjs';
import { checkedNames } from './channel/channel-name.js';
import type { ChannelSource } from './channel/source.js';
import { placeholdersOf } from './channel/template.js';
import type { SseEvent } from './channel/sse-event.js';
import type { Delivery } from './delivery/delivery.js';
import { STREAM_OPTIONS, type ResumeOptions, type StreamOptions } from './setup/channel-options.js';
import type { SseSettings } from './setup/settings.js';
import type { SseSources } from './setup/sse-sources.js';
import type { CacheOptions } from './sources/cache/cache-options.js';
import { PollSource } from './sources/poll/poll-source.js';
import type { PollOptions } from './sources/poll/poll.options.js';
import { readOptions } from './sources/options/option-table.js';
import type {
  ChannelDefinition,
  DataOf,
  DataToSend,
  EventTypeOf,
  ParamArgs,
  StreamEventOf,
  TypedEvent,
} from './typed/channel-definition.js';
import { checkHasEvent, outputOf, wireType } from './typed/checked-data.js';
import { checkDefinition } from './typed/define-channel.js';
import type { ListenOptions } from './sources/postgres/listen.options.js';

/** What a polled function may return. */
type Polled<T> = T | null | undefined | Promise<T | null | undefined>;

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
    readOptions(STREAM_OPTIONS, options, '', 'stream(): ');
    return this.streamFrom(this.sources.sourceFor(options), channels, options);
  }

  /**
   * Reads a channel of a definition. Where another system feeds it, the schemas check each event.
   *
   * @param definition what `defineChannel()` returned
   * @param args what stands for the placeholders of its template, if there are any; and the source of the channel,
   * and where to start
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `NOT_CONFIGURED`
   *
   * @example
   * ```ts
   * sse.streamOf(Job, { id: 42 }, { source: 'cache' });
   * ```
   */
  streamOf<Definition extends ChannelDefinition>(
    definition: Definition,
    ...args: [...params: ParamArgs<Definition['template']>, options?: StreamOptions]
  ): Observable<StreamEventOf<Definition>> {
    checkDefinition(definition, 'streamOf(): ');
    const given: readonly unknown[] = args;
    const hasParams = placeholdersOf(definition.template).length > 0 || given.length > 1;
    const [params, last = {}] = hasParams ? given : [undefined, ...given];
    const options = last as StreamOptions;
    readOptions(STREAM_OPTIONS, options, '', 'streamOf(): ');
    const source = this.sources.sourceFor(options, definition);
    const channel = (definition as ChannelDefinition).channel(params as ParamArgs<string>[0]);
    const events$: Observable<unknown> = this.streamFrom(source, channel, options);
    return events$ as Observable<StreamEventOf<Definition>>;
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
    read: () => Polled<T>,
    options: PollOptions = {},
  ): Observable<SseEvent<T>> {
    const { doneSignal = this.settings.doneSignal, serialize = this.settings.serialize } = options;
    const source = new PollSource(read, { ...options, doneSignal, serialize }, this.sources.polls);
    const requests = [{ source, name: 'poll' }];
    return this.delivery.observe(requests);
  }

  /**
   * `poll()` of values that have the type of an event: its schema checks each, and what it makes of a value is emitted. The
   * module logs a value that does not fit, and calls again.
   *
   * @param type the event's, in the definition; `message` is the event without a type
   * @throws SseError `INVALID_OPTION`, `INVALID_EVENT` for a type that the definition lacks
   */
  pollOf<Definition extends ChannelDefinition, Type extends EventTypeOf<Definition>>(
    definition: Definition,
    type: Type,
    read: () => Polled<DataToSend<Definition, Type>>,
    options: Omit<PollOptions, 'type'> = {},
  ): Observable<TypedEvent<Type, DataOf<Definition, Type>>> {
    checkDefinition(definition, 'pollOf(): ');
    checkHasEvent(definition, type);
    const checked = async (): Promise<string | object | null> => {
      const value: unknown = await read();
      return value == null ? null : (outputOf(definition, type, value) as object);
    };
    const name = wireType(type);
    const events$: Observable<unknown> = this.poll(typeof read === 'function' ? checked : read, {
      ...options,
      ...(name !== undefined && { type: name }),
    });
    return events$ as Observable<TypedEvent<Type, DataOf<Definition, Type>>>;
  }

  private streamFrom(
    source: ChannelSource,
    channels: string | readonly string[],
    { lastEventId }: ResumeOptions,
  ): Observable<SseEvent> {
    const isOfSet = typeof channels !== 'string';
    const requests = checkedNames(channels).map((name) => ({ source, name, isOfSet }));
    return this.delivery.observe(requests, lastEventId);
  }
}
