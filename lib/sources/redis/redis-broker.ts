import type { ControlLog, ControlSink } from '../../channel/control.js';
import { refuseAsPosition } from '../../channel/event-check.js';
import type { OnceKey, SentOnce } from '../../channel/once.js';
import { SseError } from '../../channel/sse-error.js';
import type { PresenceOptions, PresenceSink, PresenceStore } from '../../channel/presence.js';
import { ofKind } from '../../channel/source-kind.js';
import type { RunStore } from '../../channel/runs.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  Lifecycle,
  OutgoingEvent,
  PublishOptions,
} from '../../channel/source.js';
import { refuseTransaction } from '../../channel/transaction.js';
import { appendKind } from './append-calls.js';
import { RedisControlLog } from './control-log.js';
import { AGAIN } from './lua/lua.generated.js';
import { NumberedCalls } from './numbered-calls.js';
import { recordKey } from './once-record.js';
import { indexKey } from './own-ids.js';
import { RedisPresence } from './redis-presence.js';
import { RedisRuns } from './redis-runs.js';
import type { RedisStreams } from './redis-streams.js';
import { isStreamId } from './stream-id.js';

/**
 * Carries events from every instance to every instance by Redis: a stream per channel, which
 * is also its history, and a message per publication. The stream gives all readers one order.
 */
export class RedisBroker implements Broker, Lifecycle {
  private readonly appends: NumberedCalls;
  private control: RedisControlLog | undefined;
  private presence: RedisPresence | undefined;
  private runs: RedisRuns | undefined;
  private isStarted = false;

  constructor(private readonly streams: RedisStreams) {
    ofKind('redis', this);
    this.appends = new NumberedCalls(streams, appendKind(streams));
  }

  async start(): Promise<void> {
    this.streams.connect();
    this.control?.start();
    this.isStarted = true;
    this.presence?.start();
  }

  async stop(): Promise<void> {
    this.presence?.stop();
    await this.runs?.close();
    await this.appends.stop();
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  open(channel: string, sink: ChannelSink): ChannelFeed {
    // What a server loses of a stream, it may have lost of who is present there.
    const onLost = (): void => this.presence?.lostIn(channel);
    return this.streams.open(this.keyOf(channel), sink, { onLost });
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    const key = this.streamOf(channel, event, options);
    return this.appends.publish(event, key, indexKey(key, this.streams.settings.prefix));
  }

  /** @throws as `publish()` */
  async publishOnce(
    channel: string,
    event: OutgoingEvent,
    { key, window }: OnceKey,
    options?: PublishOptions,
  ): Promise<SentOnce> {
    const stream = this.streamOf(channel, event, options);
    const { prefix } = this.streams.settings;
    const once = { record: recordKey(stream, key, prefix), window };
    const id = await this.appends.publishOnce(event, once, stream, indexKey(stream, prefix));
    const isDuplicate = id.startsWith(AGAIN);
    return { id: isDuplicate ? id.slice(AGAIN.length) : id, isDuplicate };
  }

  /** The log is read and listened to from the start on. */
  openControl(sink: ControlSink): ControlLog {
    return (this.control = new RedisControlLog(this.streams, sink));
  }

  openPresence(sink: PresenceSink, options: PresenceOptions): PresenceStore {
    const presence = (this.presence = new RedisPresence(this.streams, this.keyOf, sink, options));
    if (this.isStarted) {
      presence.start();
    }
    return presence;
  }

  openRuns(): RunStore {
    return (this.runs = new RedisRuns(this.streams, this.keyOf));
  }

  /** The stream for an event, which Redis can hold. */
  private streamOf(channel: string, { id }: OutgoingEvent, options?: PublishOptions): string {
    refuseTransaction(options);
    const stream = this.keyOf(channel);
    if (id !== undefined && isStreamId(id)) {
      refuseAsPosition(id, 'of a Redis stream');
    }
    return stream;
  }

  private readonly keyOf = (channel: string): string => {
    if (channel.startsWith('}')) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The channel ${JSON.stringify(channel)} begins with }, so that the keys of its stream ` +
          'would not share a hash slot. Give it another name.',
      );
    }
    const { prefix } = this.streams.settings;
    // The stream of a cache key that ends in } has such a name as well.
    return channel.includes('}:key:') ? `${prefix}channel:{${channel}}` : `${prefix}{${channel}}`;
  };
}
