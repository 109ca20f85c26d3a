import { refuseAsPosition } from '../../channel/event-check.js';
import { SseError } from '../../channel/sse-error.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  Lifecycle,
  OutgoingEvent,
  PublishOptions,
} from '../../channel/source.js';
import { refuseTransaction } from '../../channel/transaction.js';
import { AppendKind } from './append-kind.js';
import { indexKey } from './own-ids.js';
import type { RedisStreams } from './redis-streams.js';
import { isStreamId } from './stream-id.js';
import { StreamPublisher } from './stream-publisher.js';

/**
 * Carries events from every instance to every instance by Redis: a stream per channel, which
 * is also its history, and a message per publication. One order for all, as the stream has it.
 */
export class RedisBroker implements Broker, Lifecycle {
  private readonly publisher: StreamPublisher;
  private offReady: (() => void) | undefined;

  constructor(private readonly streams: RedisStreams) {
    this.publisher = new StreamPublisher(streams, new AppendKind(streams));
  }

  async start(): Promise<void> {
    this.offReady = this.streams.connection.onReady(() => this.publisher.retryNow());
    this.streams.connect();
  }

  async stop(): Promise<void> {
    await this.publisher.stop();
    this.offReady?.();
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  open(channel: string, sink: ChannelSink): ChannelFeed {
    return this.streams.open(this.keyOf(channel), sink, { channel });
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    refuseTransaction(options);
    const key = this.keyOf(channel);
    if (event.id !== undefined && isStreamId(event.id)) {
      refuseAsPosition(event.id, 'of a Redis stream');
    }
    return this.publisher.publish(key, event, indexKey(key, this.streams.settings.prefix));
  }

  private keyOf(channel: string): string {
    if (channel.startsWith('}')) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The channel ${JSON.stringify(channel)} begins with }, so that the keys of its stream ` +
          'would not share a hash slot. Give it another name.',
      );
    }
    const { prefix } = this.streams.settings;
    // A key that ends in } has a stream of the other form, and of such a name.
    return channel.includes('}:key:') ? `${prefix}channel:{${channel}}` : `${prefix}{${channel}}`;
  }
}
