import type { ChannelRegistry } from '../../channel/channel-registry.js';
import type { OnceKey, SentOnce } from '../../channel/once.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  Lifecycle,
  OutgoingEvent,
  PublishOptions,
} from '../../channel/source.js';
import type { PresenceSink, PresenceStore } from '../../channel/presence.js';
import type { RunStore } from '../../channel/runs.js';
import { ofKind } from '../../channel/source-kind.js';
import { refuseTransaction } from '../../channel/transaction.js';
import { MemoryPresence } from './memory-presence.js';
import { MemoryRuns } from './memory-runs.js';
import { SentKeys } from './sent-keys.js';

/**
 * Carries events within this process. An event is in the channel's log when `publish`
 * returns, and reaches every reader that is connected to this process.
 */
export class MemoryBroker implements Broker, Lifecycle {
  private readonly keys = new SentKeys();

  /** @param channels opens a channel for an event that nobody reads yet */
  constructor(private readonly channels: Pick<ChannelRegistry, 'touch'>) {
    ofKind('memory', this);
  }

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    sink.live();
    return { close: () => undefined };
  }

  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    refuseTransaction(options);
    return Promise.resolve(this.channels.touch(this, channel).append(event));
  }

  async publishOnce(
    channel: string,
    event: OutgoingEvent,
    once: OnceKey,
    options?: PublishOptions,
  ): Promise<SentOnce> {
    refuseTransaction(options);
    const first = this.keys.idOf(channel, once.key);
    if (first !== undefined) {
      return { id: first, isDuplicate: true };
    }
    this.keys.makeRoom();
    const id = this.channels.touch(this, channel).append(event);
    this.keys.note(channel, once, id);
    return { id, isDuplicate: false };
  }

  async stop(): Promise<void> {
    this.keys.close();
  }

  openPresence(sink: PresenceSink): PresenceStore {
    return new MemoryPresence(sink, (channel) => this.channels.touch(this, channel));
  }

  openRuns(): RunStore {
    return new MemoryRuns();
  }
}
