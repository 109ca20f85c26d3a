import type { ControlLog, ControlSink } from '../../channel/control.js';
import { refuseAsPosition } from '../../channel/event-check.js';
import { SseError } from '../../channel/sse-error.js';
import type { PresenceOptions, PresenceSink, PresenceStore } from '../../channel/presence.js';
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
import { APPEND } from './lua/lua.generated.js';
import { RedisControlLog } from './control-log.js';
import type { CallKind } from './numbered-call.js';
import { NumberedCalls } from './numbered-calls.js';
import { indexKey, ownIdsOf } from './own-ids.js';
import { RedisPresence } from './redis-presence.js';
import { RedisRuns } from './redis-runs.js';
import type { RedisStreams } from './redis-streams.js';
import { lengthsOf, type EventText } from './stream-entry.js';
import { isStreamId, streamIdsFrom } from './stream-id.js';

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
    return this.streams.open(this.keyOf(channel), sink);
  }

  /** @throws SseError `INVALID_CHANNEL` when the name cannot be mapped to a stream */
  publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    refuseTransaction(options);
    const key = this.keyOf(channel);
    if (event.id !== undefined && isStreamId(event.id)) {
      refuseAsPosition(event.id, 'of a Redis stream');
    }
    return this.appends.publish(event, key, indexKey(key, this.streams.settings.prefix));
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

/** Calls that append events to streams: a lane is a stream, and an event's id is its entry's. */
function appendKind({ connection, limits, published, reading }: RedisStreams): CallKind {
  return {
    script: APPEND,
    isPerLane: false,
    args: limits,
    argsOf: (lanes) => [lanes.map(headOf).join(''), ...lanes.map(textOf)],
    // In a Cluster each stream has its own marker, which tells whether the server has the last event.
    last: ([key]) => (connection.isCluster ? published.lastOf(key!) : undefined),
    outcomes: ([key], answer, number, count) => {
      const [first, announcement] = answer.split(' ') as [string, string?];
      if (announcement !== undefined) {
        reading.noteLoss(key!, announcement);
      }
      const ids = streamIdsFrom(first, count)!;
      published.note(key!, ids.at(-1)!, number);
      return ids;
    },
  };
}

/** The line that tells the script what the text of a stream holds: nothing for one event that is data only. */
function headOf(events: readonly EventText[]): string {
  const [lengths, owns] = [lengthsOf(events), ownIdsOf(events)];
  return lengths === '' && owns === '' ? '\n' : `${events.length} ${lengths} ${owns}\n`;
}

function textOf(events: readonly EventText[]): string {
  let text = '';
  for (const { meta, data } of events) {
    text += meta + data;
  }
  return text;
}
