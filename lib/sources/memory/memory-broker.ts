import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  OutgoingEvent,
  PublishOptions,
} from '../../channel/source.js';
import { refuseTransaction } from '../../channel/transaction.js';

/**
 * Carries events within this process. An event is in the channel's log when `publish`
 * returns, and reaches every reader that is connected to this process.
 */
export class MemoryBroker implements Broker {
  private readonly sinks = new Map<string, ChannelSink>();

  /** @param keepOpen opens a channel that nobody reads, or keeps it from being dropped */
  constructor(private readonly keepOpen: (broker: MemoryBroker, channel: string) => void) {}

  open(channel: string, sink: ChannelSink): ChannelFeed {
    this.sinks.set(channel, sink);
    sink.live();
    return { close: () => void this.sinks.delete(channel) };
  }

  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    refuseTransaction(options);
    this.keepOpen(this, channel);
    return Promise.resolve(this.sinks.get(channel)!.append(event));
  }
}
