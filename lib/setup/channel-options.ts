import type { EventFields } from '../channel/outgoing-event.js';
import type { Serialize } from '../channel/serialize.js';
import type { ChannelSource, PublishOptions } from '../channel/source.js';
import { SseError } from '../channel/sse-error.js';
import type { Overflow } from '../delivery/overflow.js';
import type { CacheOptions } from '../sources/cache/cache-options.js';
import type { ListenOptions } from '../sources/postgres/listen.options.js';

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
   * What happens to a client that reads so slowly that its next event is no longer
   * retained: it receives `sse:reset`; or it is disconnected; or, with `{ latest: (event) => key }`,
   * it receives the newest event of each key only from the moment it lags. Default: `reset`.
   */
  readonly overflow?: Overflow;
}

/** Options of `SseService.send()`. */
export interface SendOptions extends EventFields, PublishOptions {
  /** Writes data that is no string as text, for this event. Default: the module's `serialize`. */
  readonly serialize?: Serialize | undefined;
}

/** Where a stream that no HTTP request stands behind starts. */
export interface ResumeOptions {
  /** The id of the last event read before, or `earliest`. Default: what comes from now on. */
  readonly lastEventId?: string | undefined;
}

/** What `SseService.stream()` reads, and where it starts. A subscriber is never too slow. */
export interface StreamOptions extends Omit<ChannelOptions, 'overflow'>, ResumeOptions {}

/** Options of an endpoint beside those of its channels. */
// The framework's request type is the application's choice.
// oxlint-disable-next-line typescript/no-explicit-any
export interface EndpointOptions<Request = any> extends ChannelOptions {
  /**
   * When the client's permission ends: a date, or milliseconds since the epoch. The
   * connection ends then at the latest, and the client's return is authorised anew. A time that
   * is past is answered with 401, and an answer that is no time with 500, before anything is
   * read. `undefined`: never. Default: never.
   */
  readonly expires?: (request: Request) => Date | number | undefined;
  /** Who is behind a request, in place of the module's `client`. Default: the module's. */
  readonly client?: (request: Request) => string | undefined;
}

/** The names of options as a record, so that one that is missing here does not compile. */
type Names<Options> = Readonly<Record<keyof Options, true>>;

const CHANNEL: Names<Omit<ChannelOptions, 'overflow'>> = {
  source: true,
  interval: true,
  maxInterval: true,
  mode: true,
  poller: true,
  type: true,
  refetch: true,
  doneSignal: true,
};
const ENDPOINT: Names<EndpointOptions> = {
  ...CHANNEL,
  overflow: true,
  expires: true,
  client: true,
};
const STREAM: Names<StreamOptions> = { ...CHANNEL, lastEventId: true };
const SEND: Names<SendOptions> = {
  type: true,
  id: true,
  retry: true,
  serialize: true,
  transaction: true,
};

/** The options of `@SseChannel()`. */
export const ENDPOINT_OPTIONS = Object.keys(ENDPOINT);

/** The options of the service's methods. */
export const CALL_OPTIONS = {
  stream: Object.keys(STREAM),
  send: Object.keys(SEND),
  sendKey: ['type', 'id', 'serialize'],
};

/** The options that only some kinds of source know, by the kind. */
const APPLICABLE: Readonly<Record<string, readonly (keyof ChannelOptions)[]>> = {
  cache: ['interval', 'maxInterval', 'mode', 'poller', 'type', 'doneSignal'],
  postgres: ['type', 'refetch', 'doneSignal'],
};
const SPECIFIC = new Set(Object.values(APPLICABLE).flat());

/**
 * Refuses the options of another kind of source.
 * @throws SseError `INVALID_OPTION`
 */
export function checkApplies(source: SourceOption, options: ChannelOptions): void {
  const applicable = (typeof source === 'string' && APPLICABLE[source]) || [];
  for (const name of SPECIFIC) {
    if (options[name] !== undefined && !applicable.includes(name)) {
      const kinds = Object.keys(APPLICABLE).filter((kind) => APPLICABLE[kind]!.includes(name));
      throw new SseError(
        'INVALID_OPTION',
        `\`${name}\` is an option of the source ${kinds.map((kind) => `'${kind}'`).join(' or ')}; ` +
          `here the source is ${typeof source === 'string' ? `'${source}'` : 'one of your own'}. ` +
          'Leave it out, or name that source.',
      );
    }
  }
}
