import type { EventFields } from '../channel/outgoing-event.js';
import type { Serialize } from '../channel/value-text.js';
import type { ChannelSource, PublishOptions } from '../channel/source.js';
import type { SseClient } from '../delivery/client.js';
import type { LatestOnly, Overflow } from '../delivery/overflow.js';
import { CACHE_OPTIONS, type CacheOptions } from '../sources/cache/cache-options.js';
import { callback, flag, oneOf, option, passedOn } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';
import { LISTEN_OPTIONS, type ListenOptions } from '../sources/postgres/listen.options.js';
import { compressionOption, type Compression } from './compression-option.js';
import { revalidateOption, type RevalidateOption } from './revalidate-option.js';
import { snapshotOption, type SnapshotOption, type SnapshotsOption } from './snapshot-option.js';

/** A class or symbol under which the application provides a source. */
// oxlint-disable-next-line typescript/no-explicit-any
export type ProviderToken = (abstract new (...args: any[]) => ChannelSource) | symbol;

/** What feeds a channel: one of the module's own kinds, or a source of yours. */
export type SourceOption =
  'broker' | 'cache' | 'postgres' | 'event-table' | ChannelSource | ProviderToken;

/** How one endpoint or stream reads its channels. */
export interface ChannelOptions extends Omit<CacheOptions, 'type'>, ListenOptions {
  /**
   * What feeds the channel: `broker` (what `send()` publishes), `cache` (a key),
   * `postgres` (notifications), `event-table` (the Postgres event table, also beside another
   * broker), or a `ChannelSource` or the token of a provider that is one.
   * Default: `broker`.
   */
  readonly source?: SourceOption;
  /**
   * For a channel of a definition whose source is not the broker: with `skip` clients receive `sse:reset` in place of an event that
   * does not fit, and the log tells why; with `pass` events are not checked. Default: `skip`.
   */
  readonly invalid?: 'skip' | 'pass';
  /**
   * What happens to a client that reads so slowly that its next event is no longer
   * retained: with `reset` it receives `sse:reset`; with `disconnect` its connection ends; with
   * `{ latest: (event) => key }` it receives, once it lags, only the newest event of each key.
   * Default: `reset`.
   */
  readonly overflow?: Overflow;
}

/** Options of `SseService.send()`. */
export interface SendOptions extends EventFields, PublishOptions {
  /** Turns data other than a string into text, for this event. Default: the module's `serialize`. */
  readonly serialize?: Serialize | undefined;
  /**
   * Makes it safe to send the event again when you do not know whether it was sent: within
   * `idempotencyWindow` a channel gets one event with this key, and each further `send()` of it, from
   * any instance, resolves with the id of the first, whatever its data. A string of 1 to 256 bytes.
   * Default: none, each call sends an event.
   */
  readonly idempotencyKey?: string | undefined;
}

/** Options of `ChannelSender.send()`: those of `SseService.send()`, but the type. */
export type TypedSendOptions = Omit<SendOptions, 'type'>;

/** Options of `SseService.sendKey()`. */
export type SendKeyOptions = Pick<SendOptions, 'type' | 'id' | 'serialize'>;

/** The start of a stream without an HTTP request. */
export interface ResumeOptions {
  /** The id of the last event that was read, or `earliest`. Default: only events from now on. */
  readonly lastEventId?: string | undefined;
}

/** Options of `SseService.stream()`. They have no `overflow`: a subscriber is never too slow. */
export interface StreamOptions extends Omit<ChannelOptions, 'overflow'>, ResumeOptions {}

/** Whether the client of a request may read a channel. `this` is the controller, in the option of an endpoint. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Authorize<Request = any> = (
  request: Request,
  channel: string,
) => boolean | Promise<boolean>;

/**
 * Options of an endpoint beside those of its channels. The functions have the controller as `this`, unless
 * they are arrow functions.
 */
// The framework's request type is the application's choice.
// oxlint-disable-next-line typescript/no-explicit-any
export interface EndpointOptions<Request = any> extends ChannelOptions {
  /**
   * When the client's permission ends: a date, or milliseconds since the epoch. The
   * connection ends then at the latest, and your guards see the client again when it returns. A past
   * time leads to 401, and a value that is no time to 500, before anything is read. `undefined`: never.
   * Default: never.
   */
  readonly expires?: (request: Request) => Date | number | undefined;
  /** Who is behind a request, in place of the module's `client`. Default: the module's. */
  readonly client?: (request: Request) => string | SseClient | undefined;
  /**
   * Whether the client of a request may read a channel, in place of the module's `authorize`. The module
   * asks it for each channel before it opens one. The stream leaves a refused channel out and tells the
   * client by `sse:denied`; when none is left, the answer is 403. An error, any other answer, or none
   * within 30 seconds refuses the request. Default: the module's.
   */
  readonly authorize?: Authorize<Request>;
  /**
   * Whether the streams of the endpoint count for `presence()` of their channels, which must be the
   * broker's. With `'events'` the channels also carry `sse:join` and `sse:leave`. Default: false.
   */
  readonly presence?: boolean | 'events';
  /** Asks again, while a stream is open, whether its client may still read it. Default: never. */
  readonly revalidate?: RevalidateOption<Request>;
  /**
   * Returns the state of a channel, which a client receives as `sse:snapshot` before the first event
   * when it comes without a position, and after each `sse:reset`. The state contains what was sent
   * before the call. The signal aborts when the client leaves. The endpoint streams its channels as
   * they are. Where only some of its channels have a state, give an object of functions by their names or
   * templates. Default: none, clients receive events only.
   */
  readonly snapshot?: SnapshotOption<Request> | SnapshotsOption<Request>;
  /**
   * Whether clients follow the runs of the channel, which `run()` begins, in place of what `send()`
   * publishes. A new client begins at the beginning of the active run; without one it gets 204. Default:
   * false.
   */
  readonly run?: boolean;
  /** Whether the endpoint's streams are compressed, in place of the module's `compression`. Default: the module's. */
  readonly compression?: Compression;
}

/** The allowed values of `source`, in words. */
export const SOURCES =
  "'broker', 'cache', 'postgres', 'event-table', a ChannelSource, or the token of a provider that is one";

/** Options of what feeds a channel. */
export const SOURCE_OPTIONS = {
  source: option(isSource, SOURCES, 'broker'),
  invalid: oneOf('skip', 'pass'),
  ...CACHE_OPTIONS,
  ...LISTEN_OPTIONS,
} satisfies TableOf<Omit<ChannelOptions, 'overflow'>>;

/** Options of an endpoint for reading its channels. */
export const CHANNEL_OPTIONS = {
  ...SOURCE_OPTIONS,
  overflow: option(isOverflow, "'reset', 'disconnect', or { latest: (event) => key }", 'reset'),
} satisfies TableOf<ChannelOptions>;

export const ENDPOINT_OPTIONS = {
  ...CHANNEL_OPTIONS,
  expires: callback<NonNullable<EndpointOptions['expires']>>('the request'),
  client: callback<NonNullable<EndpointOptions['client']>>('the request'),
  authorize: callback<Authorize>('the request and a channel'),
  presence: option(isPresence, "true, false or 'events'", false),
  revalidate: revalidateOption,
  snapshot: snapshotOption,
  run: flag(false),
  compression: compressionOption,
} satisfies TableOf<EndpointOptions>;

export const STREAM_OPTIONS = {
  ...SOURCE_OPTIONS,
  lastEventId: passedOn<string>(),
} satisfies TableOf<StreamOptions>;

/** The fields of an event, which is checked as a whole. */
export const SEND_OPTIONS = {
  type: passedOn<string>(),
  id: passedOn<string>(),
  retry: passedOn<number>(),
  serialize: passedOn<Serialize>(),
  transaction: passedOn<unknown>(),
  idempotencyKey: passedOn<string>(),
} satisfies TableOf<SendOptions>;

const { type, ...withoutType } = SEND_OPTIONS;
export const TYPED_SEND_OPTIONS = withoutType satisfies TableOf<TypedSendOptions>;

const { id, serialize } = SEND_OPTIONS;
export const SEND_KEY_OPTIONS = { type, id, serialize };
export const TYPED_SEND_KEY_OPTIONS = { id, serialize };

function isSource(value: unknown): value is SourceOption {
  return (
    ['broker', 'cache', 'postgres', 'event-table'].includes(value as string) ||
    typeof value === 'function' ||
    typeof value === 'symbol' ||
    isChannelSource(value)
  );
}

/** Whether a value is a source that can be opened. */
export function isChannelSource(value: unknown): value is ChannelSource {
  return typeof (value as Partial<ChannelSource> | null | undefined)?.open === 'function';
}

function isPresence(value: unknown): value is boolean | 'events' {
  return typeof value === 'boolean' || value === 'events';
}

function isOverflow(value: unknown): value is Overflow {
  return (
    value === 'reset' ||
    value === 'disconnect' ||
    (typeof value === 'object' &&
      value !== null &&
      Object.keys(value).join() === 'latest' &&
      typeof (value as LatestOnly).latest === 'function')
  );
}
