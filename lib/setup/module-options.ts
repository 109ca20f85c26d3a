import type { SseClient } from '../delivery/client.js';
import type { Opening } from '../delivery/opening.js';
import type { Broker } from '../channel/source.js';
import type { CacheLike } from '../sources/cache/cache-calls.js';
import type { MemoryKeyStore } from '../sources/cache/memory-store.js';
import type { EventTableOptions } from '../sources/event-table/event-table.options.js';
import type { PostgresOption } from '../sources/postgres/postgres.options.js';
import type { RedisOption } from '../sources/redis/redis-option.js';
import type { RedisStreamsOptions } from '../sources/redis/redis-streams.options.js';
import type { Authorize } from './channel-options.js';
import type { Compression } from './compression-option.js';
import type { RunsOptions } from './run-options.js';

/** How much of each channel stays readable for clients that return or fall behind. */
export interface RetainOptions {
  /** Events per channel. Default: 1,000. */
  readonly events?: number;
  /** About how many bytes of memory per channel: an event takes its data and 128 more. Default: 1,048,576. */
  readonly bytes?: number;
  /** Milliseconds. Default: 300,000. */
  readonly age?: number;
}

/** What clients and publishers may use. `Infinity` lifts a limit. */
export interface LimitOptions {
  /**
   * Open connections, and requests whose resolver or handler is at work. A client beyond them gets 200,
   * a long random `retry:` and the end, as an EventSource never returns after an error status. Default:
   * 50,000.
   */
  readonly connections?: number;
  /**
   * Open connections per client, told apart by `client`. A client beyond them is
   * refused with 429. Default: no limit, as all clients behind one proxy share its address.
   */
  readonly connectionsPerClient?: number;
  /** Open connections per channel; beyond them as for `connections`. Default: no limit. */
  readonly connectionsPerChannel?: number;
  /** Channels per connection. More are refused with 400. Default: 50. */
  readonly channelsPerConnection?: number;
  /** Open channels. One that nobody uses gives way to a new one. Default: 100,000. */
  readonly channels?: number;
  /**
   * Bytes of one event's data. `send()` rejects a larger event with `EVENT_TOO_LARGE`; in place of one
   * from another system, clients receive `sse:reset` `skipped-event`. Default: 1,048,576.
   */
  readonly eventSize?: number;
  /** Characters of a Last-Event-ID. A longer one counts as unknown. Default: 8,192. */
  readonly lastEventIdLength?: number;
}

/** Options of `SseModule.forRoot()`. */
export interface SseModuleOptions {
  /**
   * Redis or Valkey, 6.2 or later: a URL, the options of `ioredis`, or a client of yours,
   * which the module neither changes nor closes. Default: none; cache keys are then in `cache`.
   */
  readonly redis?: RedisOption | undefined;
  /**
   * Postgres: a URL, the options of `pg.Client`, or a `pg.Client` or `pg.Pool` of yours,
   * which the module never closes. Default: none.
   */
  readonly postgres?: PostgresOption | undefined;
  /**
   * The same Postgres without a pooler in between, for LISTEN: a URL or options.
   * Default: `postgres`.
   */
  readonly listenConnection?: PostgresOption | undefined;
  /**
   * Where cache keys are, in place of Redis: anything with `get`, `set` and `del`, such as
   * cache-manager's cache. Default: `redis`, else a store in this process.
   */
  readonly cache?: CacheLike | MemoryKeyStore | undefined;
  /**
   * Where `send()` publishes: in this process; to Redis, which carries events to every
   * instance; to the Postgres event table, which does so as well, also within transactions of
   * yours; or to a broker of yours. Default: `memory`.
   */
  readonly broker?: 'memory' | 'redis' | 'event-table' | Broker;
  /**
   * The Postgres event table of `broker: 'event-table'` and `source: 'event-table'`. Set it, if only
   * to `{}`, to read the table beside another broker.
   */
  readonly eventTable?: EventTableOptions;
  /** How channels are kept in Redis: sent events, and taken keys. Default: as for each of its options. */
  readonly redisStreams?: RedisStreamsOptions;
  /**
   * Whether the application fails to start when Redis or Postgres cannot be reached.
   * Otherwise streams that need them open, and go live once they are there. Default: false.
   */
  readonly failFast?: boolean;
  /**
   * How long a new client waits for a source that is not listening yet, in milliseconds. Then its
   * stream opens without it. Default: 1,000.
   */
  readonly readyTimeout?: number;
  /**
   * How clients learn their first position: from an event named `sse:open`, or from a frame that fires
   * no event, for clients that cannot ignore an event. Firefox, WebKit and most clients of npm do not
   * keep the id of such a frame. Default: `event`.
   */
  readonly opening?: Opening;
  /**
   * After how many milliseconds a disconnected client returns. Each connection gets a random time
   * between half and one and a half of it, so that clients do not return in one moment. Default: 3,000.
   */
  readonly retry?: number;
  /**
   * How long a connection may be silent before it gets a comment, in milliseconds; 0 for ever. After an
   * event it can be silent for up to twice that. Default: 15,000.
   */
  readonly heartbeat?: number;
  /** How long a channel without readers is kept, in milliseconds. Default: 60,000. */
  readonly linger?: number;
  /** How much of each channel is kept in memory. Default: as for each of its options. */
  readonly retain?: RetainOptions;
  /**
   * The value of a key or of a polled function, or the payload of a notification, that ends the
   * run: clients receive it and their streams end. `false`: none does. Default: `[DONE]`.
   */
  readonly doneSignal?: string | false;
  /**
   * Turns data other than strings into the text of an event: data that you publish, that `poll()`
   * reads or that a handler emits, and values of `cache`. A function of the data. It does not know the
   * endpoint, as published data becomes text before anybody reads it. Default: `JSON.stringify`.
   */
  readonly serialize?: (data: unknown) => string;
  /**
   * How long a client may not read before its connection is destroyed, in milliseconds;
   * 0 for ever. Default: 60,000.
   */
  readonly stallTimeout?: number;
  /**
   * How long a connection may last, in milliseconds, randomised down to 80 %; 0 for ever.
   * Default: 0.
   */
  readonly maxAge?: number;
  /**
   * Whether streams are compressed with gzip for clients that accept it. `'shared'`: the events of a
   * channel are compressed once for all of its clients, so that it costs each of them nearly nothing. An
   * endpoint may have its own. Default: `none`.
   */
  readonly compression?: Compression;
  /**
   * At shutdown the module tells clients to return at random times within this time, and waits as long
   * for those that read slowly. In milliseconds; with 0 it waits for nobody, and clients return within
   * `retry`. Default: 5,000.
   */
  readonly drainTimeout?: number;
  /** What clients and publishers may use. Default: as for each of its options. */
  readonly limits?: LimitOptions;
  /**
   * Who is behind a request: an id, or `{ id, info }` with what others may know of the client. An
   * endpoint may have a function of its own. Where it returns `undefined`, the connection has no
   * client, and `limits.connectionsPerClient` counts by address. Any other answer is an error, and
   * the request is answered with 500.
   * Default: no client; the request's `ip` counts, as the framework's trust-proxy setting determines
   * it.
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly client?: (request: any) => string | SseClient | undefined;
  /**
   * Whether `disconnect()` reaches every instance. Each instance then reads the broker's control log.
   * While it cannot, its clients receive nothing, as a command to disconnect them may be waiting there.
   * With `broker: 'memory'` there is one instance, and nothing to read. Default: false.
   */
  readonly revocation?: boolean;
  /**
   * Whether the client of a request may read a channel. The module asks it for each channel of an
   * endpoint, see the endpoint's `authorize`, and not for those that a handler names by itself. Default:
   * guards and resolvers alone decide.
   */
  readonly authorize?: Authorize;
  /**
   * How long a client that has left still counts as present, in milliseconds: within it a reload is
   * neither a leave nor a join. Default: 5,000.
   */
  readonly presenceGrace?: number;
  /**
   * After how many milliseconds without a sign of life an instance counts as dead, and its clients
   * as gone. At least 3,000, and the same on all instances. Default: 15,000.
   */
  readonly presenceTimeout?: number;
  /**
   * For how long an `idempotencyKey` of `send()` counts after its first event, in milliseconds, from
   * 1,000 to 86,400,000, which is a day. Set the same on all instances. Default: 300,000.
   */
  readonly idempotencyWindow?: number;
  /** How runs go that `run()` begins. Default: as for each of its options. */
  readonly runs?: RunsOptions;
}
