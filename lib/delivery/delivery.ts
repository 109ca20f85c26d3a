import { AsyncLocalStorage } from 'node:async_hooks';
import type { Subscriber } from 'rxjs';
import { ChannelRegistry } from '../channel/channel-registry.js';
import type { EventLimits } from '../channel/event-check.js';
import { Guard } from '../channel/guard.js';
import { Pace } from '../channel/pace.js';
import type { Serialize } from '../channel/value-text.js';
import type { RetainLimits } from '../channel/event-log.js';
import type { SseLogger } from '../channel/source.js';
import { tallyOf, type Tally } from '../channel/tally.js';
import type { SseEvent } from '../channel/sse-event.js';
import { ChangingSubscription } from './changing-subscription.js';
import { ChannelReader } from './channel-reader.js';
import { ChannelStream, readInto } from './channel-stream.js';
import type { Connection, ConnectionReader } from './connection.js';
import { Connections } from './connections.js';
import type { ConnectionOptions } from './connection-options.js';
import { FlushQueue } from './flush-queue.js';
import type { Attendance } from './attendance.js';
import type { CountedAs } from './client.js';
import { BlockCache } from './log-blocks.js';
import { MergedReader } from './merged-reader.js';
import type { Overflow } from './overflow.js';
import { Revocations } from './revocations.js';
import { SeparateReader } from './separate-reader.js';
import type { Snapshots } from './snapshot-cursor.js';
import { Subscription } from './subscription.js';
import type { ChannelRequest } from './channel-request.js';

/** The module's options that delivery uses. */
export interface DeliveryOptions extends ConnectionOptions {
  readonly retain: RetainLimits;
  readonly linger: number;
  readonly readyTimeout: number;
  readonly maxChannels: number;
  /** Bytes of one event's data. */
  readonly eventSize: number;
  /** Characters of a Last-Event-ID. */
  readonly lastEventIdLength: number;
  /** Turns data that handlers emit into text. Default: as JSON. */
  readonly serialize?: Serialize | undefined;
}

/** Everything between the logs and the clients of one application. */
export class Delivery {
  readonly channels: ChannelRegistry;
  readonly connections: Connections;
  /** What is counted of the application. */
  readonly tally: Tally;
  /** Ends connections for the application. */
  readonly revocations: Revocations;
  readonly readyTimeout: number;
  /** Runs users' code, and callbacks whose errors no caller can catch. */
  readonly guard: Guard;
  /** Limits of a handler's events. Their ids may be longer, as composite ids grow with channels. */
  readonly eventLimits: EventLimits;
  /** Turns data that handlers emit into text; `undefined` for JSON. */
  readonly serialize: Serialize | undefined;
  /** Whether the application shuts down, also before the streams end. */
  isStopping = false;
  /** The blocks that the readers of a channel share. */
  private readonly blocks = new BlockCache();
  /** Runs a function outside of any request's async context. */
  readonly detach: <R>(run: () => R) => R;
  /** Spreads the opening of streams when many clients come at once. */
  readonly openings: Pace;
  /** Counts who is present, where an endpoint asks for it. */
  private attendance: Attendance | undefined;
  private readonly queue: FlushQueue;
  private readonly subscribers = new Set<Subscriber<SseEvent>>();

  /** Timers and callbacks created here keep the async context of this call, not of a request. */
  constructor(options: DeliveryOptions, log: SseLogger) {
    const guard = (this.guard = new Guard(log));
    const detach = (this.detach = AsyncLocalStorage.snapshot());
    const queue = (this.queue = new FlushQueue({
      detach,
      guard,
      onIdle: () => this.blocks.clear(),
    }));
    this.openings = new Pace(detach);
    this.channels = new ChannelRegistry({
      ...options,
      limits: { ...options.retain, eventSize: options.eventSize },
      onAppend: queue.add,
      detach,
      guard,
      log,
    });
    const tally = (this.tally = tallyOf(log));
    this.connections = new Connections(options, { guard, detach, wake: queue.wake, tally });
    this.revocations = new Revocations(this.connections, options.retry);
    this.readyTimeout = options.readyTimeout;
    this.serialize = options.serialize;
    this.eventLimits = { eventSize: options.eventSize, idLength: options.lastEventIdLength };
  }

  /** Opens channels for one client. @throws SseError `LIMIT_REACHED`, `INVALID_CHANNEL` */
  subscribe(requests: readonly ChannelRequest[], snapshots?: Snapshots): Subscription {
    return Subscription.open(this.channels, requests, this.queue.wake, snapshots);
  }

  /** Opens channels of a set that changes while its stream is open. @throws as `subscribe()` */
  subscribeChanging(
    requests: readonly ChannelRequest[],
    snapshots?: Snapshots,
  ): ChangingSubscription {
    return ChangingSubscription.open(this.channels, requests, this.queue.wake, snapshots);
  }

  /** Opens channels, and finds the place after a Last-Event-ID. @throws as `subscribe()` */
  async subscribeAt(
    requests: readonly ChannelRequest[],
    lastEventId: string | undefined,
  ): Promise<Subscription> {
    const subscription = this.subscribe(requests);
    await subscription.place({ lastEventId, readyTimeout: this.readyTimeout });
    return subscription;
  }

  /** Returns an Observable of channels, from the head or after a Last-Event-ID. */
  observe(requests: readonly ChannelRequest[], lastEventId?: string): ChannelStream {
    return new ChannelStream(requests, lastEventId, this.guard, (subscriber) => {
      this.subscribers.add(subscriber);
      subscriber.add(() => this.subscribers.delete(subscriber));
      const subscription = this.subscribe(requests);
      subscriber.add(() => subscription.close());
      const { readyTimeout } = this;
      const placed = subscription.place({ lastEventId, readyTimeout });
      if (!placed) {
        readInto(subscription, subscriber, this.guard);
        return;
      }
      placed
        .then(() => readInto(subscription, subscriber, this.guard))
        .catch((error: unknown) => subscriber.error(error));
    });
  }

  /** Brings the channels of a subscription to a connection as they are. */
  readerOf(
    subscription: Subscription,
    connection: Connection,
    overflow: Overflow,
  ): ConnectionReader {
    const [first, second] = subscription.cursors;
    if (second && subscription.hasOwnIds) {
      return new SeparateReader(subscription, connection, this.blocks, overflow);
    }
    return first && !second && !subscription.isChanging
      ? new ChannelReader(
          subscription,
          connection,
          this.blocks.of(first.channel, subscription.isLabelled),
          overflow,
        )
      : new MergedReader(subscription, connection, overflow);
  }

  /** Has it count the connections of endpoints that ask for it, from now on. */
  countBy(attendance: Attendance): void {
    this.attendance = attendance;
    const { connections, revocations } = this;
    connections.onEnded = (connection, counted) =>
      attendance.leave(connection, counted, (channel) =>
        revocations.haveMeant(connection, channel),
      );
    revocations.onRevoked = (meant) => attendance.waitNoMoreFor(meant);
  }

  /**
   * Counts an open connection in its channels, if the endpoint's option `presence` asks for it. To be
   * called again when it reads other channels.
   *
   * @param isFixed whether it never will
   */
  attend(
    connection: Connection,
    counted: CountedAs,
    presence: boolean | 'events' = false,
    isFixed = false,
  ): void {
    if (presence !== false && connection.endReason === undefined) {
      this.attendance?.enter(connection, counted, { isAnnounced: presence === 'events', isFixed });
    }
  }

  /** Completes every Observable and ends every connection. */
  async drain(): Promise<void> {
    for (const subscriber of this.subscribers) {
      this.guard.run('A subscriber of a stream', () => subscriber.complete());
    }
    await this.connections.drain();
    this.revocations.waitNoMore();
  }

  close(): void {
    this.channels.close();
  }
}
