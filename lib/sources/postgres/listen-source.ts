import { Guard } from '../../channel/guard.js';
import { ofKind } from '../../channel/source-kind.js';
import type {
  ChannelFeed,
  ChannelSink,
  ChannelSource,
  Lifecycle,
  SseLogger,
} from '../../channel/source.js';
import type { SystemHealth } from '../../channel/system-health.js';
import { duration } from '../options/option-kinds.js';
import { readOptions, type TableOf } from '../options/option-table.js';
import { checkChannel } from './identifier.js';
import { ListenFeed } from './listen-feed.js';
import { LISTEN_OPTIONS, type ListenOptions } from './listen.options.js';
import type { PostgresConnection } from './postgres-connection.js';
import { PostgresListener } from './postgres-listener.js';

/** Options of the listening connection, and the defaults for its channels. */
export interface ListenSourceOptions extends ListenOptions {
  /** Between two checks that the connection still works, in milliseconds. Default: 10,000. */
  readonly healthInterval?: number | undefined;
  /** How long the server may take for any answer, connecting included, in milliseconds. Default: 5,000. */
  readonly timeout?: number | undefined;
}

const LISTEN_SOURCE_OPTIONS = {
  ...LISTEN_OPTIONS,
  healthInterval: duration(10_000, 1),
  timeout: duration(5_000, 1),
} satisfies TableOf<ListenSourceOptions>;

/**
 * Channels fed by Postgres notifications, from `NOTIFY`, `pg_notify()` or a trigger.
 *
 * What it gives: every notification that is committed while the connection is listening
 * arrives once, in the order of the commits, whatever the number of readers, over one
 * connection per application instance.
 *
 * What it does not: Postgres keeps nothing for a listener that is away. Delivery is at most
 * once; there is no history beyond the window in memory; a payload is shorter than 8,000 bytes;
 * equal payloads to one channel within one transaction arrive once. A gap is always announced as
 * `sse:reset` with reason `listener-gap`. The event table has none of these limits.
 */
export class ListenSource implements ChannelSource, Lifecycle {
  private readonly guard: Guard;
  private readonly listener: PostgresListener;

  /** @throws SseError `INVALID_OPTION`. */
  constructor(
    connection: PostgresConnection,
    logger: SseLogger,
    private readonly options: ListenSourceOptions = {},
  ) {
    ofKind('postgres', this);
    const { healthInterval, timeout } = readOptions(LISTEN_SOURCE_OPTIONS, options);
    this.guard = new Guard(logger);
    this.listener = new PostgresListener(connection.listenConfig, logger, {
      healthInterval,
      timeout,
    });
  }

  /** @throws SseError `INVALID_CHANNEL` for a name that is empty, has NUL, or is over 63 bytes. */
  open(channel: string, sink: ChannelSink): ChannelFeed {
    return this.openWith(channel, sink, this.options);
  }

  /**
   * The same source with options of its own for the channels opened through it. They share the
   * connection, and one LISTEN per name.
   *
   * @throws SseError `INVALID_OPTION`.
   */
  with(options: ListenOptions): ChannelSource {
    readOptions(LISTEN_OPTIONS, options);
    const merged = { ...this.options, ...options };
    return ofKind('postgres', { open: (channel, sink) => this.openWith(channel, sink, merged) });
  }

  get health(): SystemHealth {
    return this.listener.health;
  }

  /** @throws SseError `UNAVAILABLE` with `failFast`; `MISSING_PEER` without `pg`, in any case. */
  start(failFast: boolean): Promise<void> {
    return this.listener.start(failFast);
  }

  /** Closes the listening connection. The owner of the `PostgresConnection` stops that one. */
  stop(): Promise<void> {
    return this.listener.stop();
  }

  private openWith(channel: string, sink: ChannelSink, options: ListenOptions): ChannelFeed {
    checkChannel(channel);
    const feed = new ListenFeed(channel, sink, this.guard, options);
    feed.subscribed(this.listener.listen(channel, feed));
    return feed;
  }
}
