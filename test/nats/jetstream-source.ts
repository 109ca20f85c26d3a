import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type ConsumerInfo,
  type ConsumerMessages,
  type JetStreamClient,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import { connect, nanos, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import {
  SseError,
  type ChannelFeed,
  type ChannelHistory,
  type ChannelSink,
  type ChannelSource,
  type HistoryEvent,
  type HistoryPage,
} from '../../lib/index.js';

/** A message with this header ends its channel's run. */
export const END_HEADER = 'Sse-End';

interface JetStreamSourceOptions {
  readonly servers: string;
  readonly stream: string;
  /** A channel's subject is `<prefix>.<channel>`. */
  readonly prefix: string;
}

type SourceLog = Parameters<NonNullable<ChannelSource['start']>>[1];

interface JetStream {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
}

/**
 * A source as an application would write it, for docs/custom-sources.md: one stream, a subject per
 * channel. A position is `<when the stream was created>.<sequence>`.
 */
export class JetStreamSource implements ChannelSource {
  private readonly stopping = new AbortController();
  private readonly feeds = new Set<Promise<void>>();
  private connecting: Promise<JetStream> | undefined;
  private log: SourceLog | undefined;
  private isAway = false;

  constructor(readonly options: JetStreamSourceOptions) {}

  async start(failFast: boolean, log: SourceLog): Promise<void> {
    this.log = log;
    await this.jetStream().catch((error: unknown) => {
      if (failFast) throw error;
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    // They have been closed, and take leave of their consumers.
    await Promise.all(this.feeds);
    const connected = await this.connecting?.catch(() => undefined);
    await connected?.connection.close();
  }

  open(channel: string, sink: ChannelSink): ChannelFeed {
    // Names may come from a request: wildcards would read the channels of others.
    if (!/^[^\s.*>\p{Cc}]+(?:\.[^\s.*>\p{Cc}]+)*$/u.test(channel)) {
      throw new SseError('INVALID_CHANNEL', `No subject is named ${JSON.stringify(channel)}.`);
    }
    const feed = new JetStreamFeed(this, `${this.options.prefix}.${channel}`, sink);
    const followed = feed.follow().finally(() => this.feeds.delete(followed));
    this.feeds.add(followed);
    return feed;
  }

  /** The one connection of all channels; once it is lost, the next call makes another. */
  jetStream(): Promise<JetStream> {
    this.connecting ??= this.connect().catch((error: unknown) => {
      this.connecting = undefined;
      this.away(error);
      throw error;
    });
    return this.connecting;
  }

  /** Logs the beginning of an outage, once. */
  away(error: unknown): void {
    if (this.isAway || this.stopping.signal.aborted) return;
    this.isAway = true;
    this.log?.warn(`NATS JetStream is away: ${String(error)}`);
  }

  /** Logs the end of an outage, once. */
  back(): void {
    if (this.isAway) this.log?.log('NATS JetStream is back.');
    this.isAway = false;
  }

  /** Logs what had to be left out. */
  skipped(error: unknown): void {
    this.log?.warn(`An event was left out: ${String(error)}`);
  }

  private async connect(): Promise<JetStream> {
    const { servers } = this.options;
    // The feeds come back by themselves: after an outage they have to look for gaps anyway.
    const connection = await connect({
      servers,
      reconnect: false,
      timeout: 5_000,
      pingInterval: 10_000,
    });
    void connection.closed().then(() => {
      this.connecting = undefined;
    });
    if (this.stopping.signal.aborted) {
      await connection.close();
      throw new Error('The source has been stopped.');
    }
    return {
      connection,
      client: jetstream(connection, { timeout: 5_000 }),
      manager: await jetstreamManager(connection, { timeout: 5_000, checkAPI: false }),
    };
  }
}

const FATAL = new Set([
  'consumer_deleted',
  'consumer_not_found',
  'stream_not_found',
  'heartbeats_missed',
  'no_responders',
]);

class JetStreamFeed implements ChannelFeed, ChannelHistory {
  readonly history = this;
  private readonly closing = new AbortController();
  private messages: ConsumerMessages | undefined;
  /** Everything up to here has been appended or is covered by a reset. */
  private cursor: Position | undefined;

  constructor(
    private readonly source: JetStreamSource,
    private readonly subject: string,
    private readonly sink: ChannelSink,
  ) {}

  close(): void {
    this.closing.abort();
    void this.messages?.close();
  }

  compare(a: string, b: string): number {
    const first = parse(a);
    const second = parse(b);
    // Creation times have the same number of digits, so that text orders them.
    if (first.created !== second.created) return first.created < second.created ? -1 : 1;
    return first.sequence - second.sequence;
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const jetStream = await this.source.jetStream();
    const { stream } = this.source.options;
    const info = await jetStream.manager.streams.info(stream);
    if (position === undefined) return this.page(jetStream, info, 0, limit);
    const after = parse(position);
    if (after.sequence < 0) return { events: [], last: true, reset: 'unknown-position' };
    if (after.created !== createdOf(info) || after.sequence > info.state.last_seq) {
      return { events: [], last: true, reset: 'failover' };
    }
    const page = await this.page(jetStream, info, after.sequence, limit);
    // After the events have been read: what is removed stays removed, so this look covers them.
    const { isWhole, ended } = await this.look(jetStream, after);
    if (!isWhole) return { events: [], last: true, reset: 'trimmed' };
    return ended ? { ...page, ended } : page;
  }

  private async page(
    jetStream: JetStream,
    info: StreamInfo,
    after: number,
    limit: number,
  ): Promise<HistoryPage> {
    const consumer = await this.consumer(jetStream, after + 1);
    try {
      const pending = consumer.num_pending;
      if (pending === 0) return { events: [], last: true };
      const messages = await jetStream.client.consumers
        .getConsumerFromInfo(consumer)
        .fetch({ max_messages: Math.min(limit, pending), expires: 5_000 });
      const events: HistoryEvent[] = [];
      let left = pending;
      for await (const message of messages) {
        events.push(eventOf(createdOf(info), message));
        left = message.info.pending;
      }
      if (events.length === 0) throw new Error('The events were removed while they were read.');
      return { events, last: left === 0 };
    } finally {
      await jetStream.manager.consumers
        .delete(this.source.options.stream, consumer.name)
        .catch(() => undefined);
    }
  }

  /**
   * Whether nothing of this channel after the position can have been removed. Limits and purges by
   * subject remove a channel's oldest events: while the event at the position is there, so are those
   * after it. Without it, whatever was removed after it may have been this channel's.
   */
  private async look(
    { manager }: JetStream,
    { created, sequence }: Position,
  ): Promise<{ isWhole: boolean; ended: boolean }> {
    const { stream } = this.source.options;
    const message = sequence > 0 && (await manager.streams.getMessage(stream, { seq: sequence }));
    const isThere = message && message.subject === this.subject;
    const info = await manager.streams.info(stream, { deleted_details: !isThere });
    if (createdOf(info) !== created) throw new Error('The stream was made anew meanwhile.');
    if (isThere) {
      return { isWhole: true, ended: message.header?.has(END_HEADER) ?? false };
    }
    const { first_seq: first, num_deleted: count, deleted } = info.state;
    const isHole = (deleted ?? []).some((removed) => removed > sequence);
    const isUnknown = (count ?? 0) > 0 && deleted === undefined;
    return { isWhole: first <= sequence + 1 && !isHole && !isUnknown, ended: false };
  }

  private consumer({ manager }: JetStream, from: number): Promise<ConsumerInfo> {
    return manager.consumers.add(this.source.options.stream, {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
      filter_subject: this.subject,
      inactive_threshold: nanos(30_000),
      mem_storage: true,
    });
  }

  /** Comes back for ever; resolves once the feed has been closed. */
  async follow(): Promise<void> {
    for (let failures = 0; !this.closing.signal.aborted; failures++) {
      try {
        const jetStream = await this.source.jetStream();
        await this.session(jetStream, () => {
          failures = 0;
          this.source.back();
        });
        if (this.closing.signal.aborted) return;
        this.source.away('the subscription has ended');
      } catch (error) {
        this.source.away(error);
      }
      const pause = Math.min(100 * 2 ** Math.min(failures, 10), 10_000) * (0.5 + Math.random() / 2);
      await delay(pause, undefined, { signal: this.closing.signal }).catch(() => undefined);
    }
  }

  /** From the cursor on, until the connection, the stream or the consumer is gone. */
  private async session(jetStream: JetStream, onLive: () => void): Promise<void> {
    const info = await jetStream.manager.streams.info(this.source.options.stream);
    const created = createdOf(info);
    let reset: 'failover' | 'trimmed' | undefined;
    let from = this.cursor ?? { created, sequence: info.state.last_seq };
    if (from.created !== created) {
      // Everything in the new stream is new.
      reset = 'failover';
      from = { created, sequence: Math.max(info.state.first_seq - 1, 0) };
    } else if (from.sequence > info.state.last_seq) {
      reset = 'failover';
      from = { created, sequence: info.state.last_seq };
    } else if (this.cursor && !(await this.look(jetStream, from)).isWhole) {
      reset = 'trimmed';
      from = { created, sequence: info.state.last_seq };
    }
    const consumer = await this.consumer(jetStream, from.sequence + 1);
    try {
      const messages = await jetStream.client.consumers
        .getConsumerFromInfo(consumer)
        .consume({ max_messages: 500, expires: 10_000, idle_heartbeat: 1_000 });
      this.messages = messages;
      if (this.closing.signal.aborted) return;
      const isFirst = this.cursor === undefined;
      this.cursor = from;
      if (reset) this.sink.reset(reset, text(from));
      if (isFirst) this.sink.live(text(from));
      onLive();
      void closeWhenGone(messages);
      await this.append(messages, created);
    } finally {
      // Not awaited: where nobody has iterated, it never resolves.
      void this.messages?.close();
      this.messages = undefined;
      await jetStream.manager.consumers
        .delete(this.source.options.stream, consumer.name)
        .catch(() => undefined);
    }
  }

  private async append(messages: ConsumerMessages, created: string): Promise<void> {
    let delivered = 0;
    for await (const message of messages) {
      // What was lost on the way is fetched again by another consumer, from the cursor on.
      if (this.closing.signal.aborted || message.info.deliverySequence !== ++delivered) return;
      this.cursor = { created, sequence: message.seq };
      try {
        this.sink.append(eventOf(created, message));
      } catch (error) {
        this.source.skipped(error);
        this.sink.reset('skipped-event', text(this.cursor));
      }
    }
  }
}

/** Ends the iteration over messages that can no longer come. */
async function closeWhenGone(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) {
    if (FATAL.has(type)) void messages.close();
  }
}

interface Position {
  /** When the stream was created, in nanoseconds: another one has another time. */
  readonly created: string;
  readonly sequence: number;
}

interface StoredEvent {
  readonly seq: number;
  readonly headers: MsgHdrs | undefined;
  string(): string;
}

function eventOf(created: string, message: StoredEvent): HistoryEvent {
  return {
    data: message.string(),
    position: text({ created, sequence: message.seq }),
    ...(message.headers?.has(END_HEADER) ? { end: true } : {}),
  };
}

function createdOf({ created }: StreamInfo): string {
  const fraction = /\.(\d+)/.exec(created)?.[1] ?? '';
  const seconds = Math.floor(Date.parse(created) / 1_000);
  return `${seconds}${fraction.padEnd(9, '0')}`.padStart(19, '0');
}

function text({ created, sequence }: Position): string {
  return `${created}.${sequence}`;
}

/** Never throws: a client may have sent anything. What is no position comes before all others. */
function parse(position: string): Position {
  const [, created, sequence] = /^(\d{19})\.(\d{1,15})$/.exec(position) ?? [];
  return created && sequence
    ? { created, sequence: Number(sequence) }
    : { created: '', sequence: -1 };
}
