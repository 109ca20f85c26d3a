import type { ChannelRegistry } from '../../channel/channel-registry.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  OutgoingEvent,
  PublishOptions,
} from '../../channel/source.js';
import type { PresenceSink, PresenceStore } from '../../channel/presence.js';
import { refuseTransaction } from '../../channel/transaction.js';
import { MemoryPresence } from './memory-presence.js';

/**
 * Carries events within this process. An event is in the channel's log when `publish`
 * returns, and reaches every reader that is connected to this process.
 */
export class MemoryBroker implements Broker {
  /** @param channels opens a channel for an event that nobody reads yet */
  constructor(private readonly channels: Pick<ChannelRegistry, 'touch'>) {}

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    sink.live();
    return { close: () => undefined };
  }

  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    refuseTransaction(options);
    return Promise.resolve(this.channels.touch(this, channel).append(event));
  }

  openPresence(sink: PresenceSink): PresenceStore {
    return new MemoryPresence(sink, (channel) => this.channels.touch(this, channel));
  }
}
