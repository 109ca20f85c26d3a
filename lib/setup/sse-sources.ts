import { monotonicNow } from '../channel/clock.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { Guard } from '../channel/guard.js';
import type { SourceKind } from '../channel/source-kind.js';
import type { Broker, ChannelSource, Lifecycle, SseLogger } from '../channel/source.js';
import { checkApplies } from './applicable-options.js';
import {
  isChannelSource,
  SOURCES,
  type ChannelOptions,
  type SourceOption,
} from './channel-options.js';
import type { SystemHealth } from '../channel/system-health.js';
import { notConfigured, type SseSettings } from './settings.js';
import { TypedSources } from './typed-sources.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { AdapterKeyStore } from '../sources/cache/adapter-store.js';
import { CACHE_OPTIONS, type CacheOptions } from '../sources/cache/cache-options.js';
import { CacheSource } from '../sources/cache/cache-source.js';
import type { KeyStore } from '../sources/cache/key-store.js';
import { MemoryKeyStore } from '../sources/cache/memory-store.js';
import { RedisKeyStore } from '../sources/cache/redis/redis-store.js';
import { CustomBroker } from '../sources/custom/custom-broker.js';
import { isLifecycle, Lifecycles } from '../sources/custom/lifecycles.js';
import { EventTable, type EventTableStats } from '../sources/event-table/event-table.js';
import { invalidOption, pick } from '../sources/options/option-table.js';
import { MemoryBroker } from '../sources/memory/memory-broker.js';
import { PollLog } from '../sources/poll/poll-log.js';
import { ListenSource } from '../sources/postgres/listen-source.js';
import { LISTEN_OPTIONS } from '../sources/postgres/listen.options.js';
import { Notifier } from '../sources/postgres/notifier.js';
import { PostgresConnection } from '../sources/postgres/postgres-connection.js';
import { RedisBroker } from '../sources/redis/redis-broker.js';
import { RedisConnection } from '../sources/redis/redis-connection.js';
import { RedisStreams } from '../sources/redis/redis-streams.js';

/** How long a service may take to stop at least, in milliseconds, when the time is over. */
const MIN_STOP_MS = 500;

/** The sources that the module's options ask for, and their common life. */
export class SseSources {
  readonly broker: Broker;
  readonly cache: CacheSource;
  readonly polls: PollLog;
  /** The connection to Redis, where the option is set. */
  readonly redis: RedisConnection | undefined;
  private readonly listen: ListenSource | undefined;
  private readonly notifications: Notifier | undefined;
  private readonly table: EventTable | undefined;
  private readonly streams: RedisStreams | undefined;
  /** In the order in which they start. */
  private readonly services: Lifecycle[] = [];
  /** The sources and the broker that the application brings. */
  private readonly custom: Lifecycles;
  private readonly listenByOptions = new Map<string, ChannelSource>();
  private readonly typed: TypedSources;

  /** @throws SseError `INVALID_OPTION` */
  constructor(
    private readonly settings: SseSettings,
    /** Where sources report what an operator should know. */
    readonly log: SseLogger,
    private readonly channels: Pick<ChannelRegistry, 'touch'>,
  ) {
    const { redis, postgres, broker } = settings;
    const guard = new Guard(log);
    this.custom = new Lifecycles(log, guard);
    this.typed = new TypedSources(log, settings.serialize);
    this.polls = new PollLog(log);
    if (redis !== undefined) {
      this.redis = new RedisConnection(redis, log);
      this.streams = new RedisStreams(this.redis, settings.redisStreams, log);
      this.services.push(this.redis, this.streams);
    }
    this.cache = new CacheSource(this.keyStore(), log);
    this.services.push(this.cache, this.polls);
    if (postgres !== undefined) {
      const connection = new PostgresConnection(postgres, settings.listenConnection);
      this.listen = new ListenSource(connection, log, { doneSignal: settings.doneSignal });
      this.notifications = new Notifier(connection);
      this.services.push(connection, this.listen);
      if (broker === 'event-table' || settings.eventTable) {
        this.table = new EventTable(connection, log, settings.eventTable, settings.limits);
        this.services.push(this.table);
      }
    }
    this.broker = this.brokerOf(broker, guard);
    if (isLifecycle(this.broker) && this.broker !== this.table) {
      this.services.push(this.broker);
    }
  }

  /**
   * The source of a channel with these options.
   * @param definition the types of its events, if it has any
   * @throws SseError `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  sourceFor(options: ChannelOptions, definition?: ChannelDefinition): ChannelSource {
    const { source = 'broker', invalid = 'skip' } = options;
    checkApplies(source, options, definition);
    const bare = this.bareSource(source, options);
    // send() has checked what the broker brings.
    return definition === undefined || source === 'broker' || invalid === 'pass'
      ? bare
      : this.typed.of(bare, definition);
  }

  private bareSource(source: SourceOption, options: ChannelOptions): ChannelSource {
    switch (source) {
      case 'broker':
        return this.broker;
      case 'cache':
        return this.cache.with({
          ...(pick(CACHE_OPTIONS, options) as CacheOptions),
          doneSignal: options.doneSignal ?? this.settings.doneSignal,
        });
      case 'postgres':
        return this.listenWith(options);
      case 'event-table':
        return required(this.table, "`source: 'event-table'`", 'eventTable');
      default:
        if (!isChannelSource(source)) {
          throw invalidOption('source', source, SOURCES);
        }
        this.custom.add(source);
        return source;
    }
  }

  /** Sends Postgres notifications. @throws SseError `NOT_CONFIGURED` */
  get notifier(): Notifier {
    return required(this.notifications, 'notify()', 'postgres');
  }

  /** @throws SseError `UNAVAILABLE` with `failFast`, `MISSING_PEER` */
  async start(): Promise<void> {
    try {
      for (const service of this.services) {
        // The table's reader connects to the same server, and may have been told not to listen.
        const isCovered = service === this.listen && this.table !== undefined;
        await service.start?.(this.settings.failFast && !isCovered, this.log);
      }
      await this.custom.start(this.settings.failFast);
    } catch (error) {
      // The application does not start, so nothing else would close what has connected.
      await this.stop(MIN_STOP_MS);
      throw error;
    }
  }

  /**
   * Stops every service, whatever the others do.
   * @param timeout how long they may take together, in milliseconds; each gets a moment at least
   */
  async stop(timeout: number): Promise<void> {
    const until = monotonicNow() + timeout;
    const left = (): number => Math.max(MIN_STOP_MS, until - monotonicNow());
    await this.custom.stop(left());
    // A source still has its connection when it stops.
    for (const service of this.services.toReversed()) {
      await this.custom.stopOne(service, left());
    }
  }

  private listenWith(options: ChannelOptions): ChannelSource {
    const listen = required(this.listen, "`source: 'postgres'`", 'postgres');
    const given = pick(LISTEN_OPTIONS, options);
    if (Object.keys(given).length === 0) {
      return listen;
    }
    if (typeof given.type === 'function' || given.refetch) {
      // Functions cannot be compared by what they do, so these channels stand alone.
      return listen.with(given);
    }
    const name = JSON.stringify(given);
    let source = this.listenByOptions.get(name);
    if (!source) {
      this.listenByOptions.set(name, (source = listen.with(given)));
    }
    return source;
  }

  /** How each system is behind the sources, by its name. */
  get health(): Record<string, SystemHealth> {
    return {
      ...(this.redis && { redis: this.redis.health }),
      ...(this.listen && { postgres: this.listen.health }),
      ...(this.table && { 'event-table': this.table.health }),
      // Keys in Redis share its fate.
      ...(this.cache.store instanceof AdapterKeyStore && { cache: this.cache.poll.health }),
      ...this.custom.health,
    };
  }

  /** What keeps the values of keys. */
  get keyStoreKind(): SourceKind {
    const { store } = this.cache;
    return store instanceof MemoryKeyStore
      ? 'memory'
      : store instanceof RedisKeyStore
        ? 'redis'
        : 'custom';
  }

  /** How many ids of the event table were given out and not read here, at the last look. */
  get eventTableBacklog(): number | undefined {
    return this.table?.backlog;
  }

  /** How many Redis streams are read anew, as a message of them did not come; unset without Redis. */
  get streamsBehind(): number | undefined {
    return this.streams?.behind;
  }

  /** How the event table stands, if there is one. */
  get eventTableStats(): EventTableStats | undefined {
    return this.table?.stats;
  }

  private brokerOf(broker: SseSettings['broker'], guard: Guard): Broker {
    switch (broker) {
      case 'memory':
        return new MemoryBroker(this.channels);
      case 'event-table':
        return this.table!;
      case 'redis':
        return new RedisBroker(this.streams!);
      default:
        this.custom.add(broker);
        return new CustomBroker(broker, guard);
    }
  }

  private keyStore(): KeyStore {
    const { cache, serialize } = this.settings;
    if (cache === undefined) {
      const { eventSize } = this.settings.limits;
      return this.streams ? new RedisKeyStore(this.streams, { eventSize }) : new MemoryKeyStore();
    }
    return cache instanceof MemoryKeyStore ? cache : new AdapterKeyStore(cache, { serialize });
  }
}

/** @throws SseError `NOT_CONFIGURED` */
function required<T>(service: T | undefined, what: string, needs: 'postgres' | 'eventTable'): T {
  if (!service) {
    throw notConfigured(what, needs);
  }
  return service;
}
