import { EventEmitter } from 'node:events';
import type { Observable } from 'rxjs';
import type { SseLogger } from '../../lib/channel/source.js';
import type { SseEvent } from '../../lib/channel/sse-event.js';
import { countingLog } from '../../lib/channel/tally.js';
import type { CountedAs } from '../../lib/delivery/client.js';
import { Delivery, type DeliveryOptions } from '../../lib/delivery/delivery.js';
import { HandlerEvents } from '../../lib/delivery/handler-events.js';
import { HandlerWriter } from '../../lib/delivery/handler-writer.js';
import { openingFrame } from '../../lib/delivery/opening.js';
import type { Overflow } from '../../lib/delivery/overflow.js';
import type { Response } from '../../lib/delivery/response-writer.js';
import type { Subscription } from '../../lib/delivery/subscription.js';
import type { ChannelRequest } from '../../lib/delivery/channel-request.js';
import type { RequestSnapshots } from '../../lib/endpoint/snapshots.js';
import { SseFrameParser, type SseFrame } from '../../lib/testing/index.js';

/** A response whose client takes what is written when it is told to. */
class ControlledResponse extends EventEmitter {
  readonly stream = {
    closed: false,
    destroyed: false,
    once: () => undefined,
    close: () => undefined,
  };
  writableEnded = false;
  isStalled = false;
  /** Written, and not taken yet: gone when the connection is cut. */
  private unread: Buffer[] = [];

  constructor(private readonly take: (bytes: Buffer) => void) {
    super();
  }

  write(bytes: Buffer): boolean {
    if (bytes.length === 0) {
      // On a bare socket the chunk of none ends the response.
      this.end();
    }
    if (this.isStalled) {
      this.unread.push(bytes);
      return false;
    }
    this.take(bytes);
    return true;
  }

  end(frame?: string): void {
    if (frame) {
      this.write(Buffer.from(frame));
    }
    this.writableEnded = true;
    if (!this.isStalled) {
      this.close();
    }
  }

  destroy(): void {
    this.unread = [];
    this.close();
  }

  readOn(): void {
    this.isStalled = false;
    this.unread.splice(0).forEach((bytes) => this.take(bytes));
    if (this.writableEnded) {
      this.close();
    } else {
      this.emit('drain');
    }
  }

  private close(): void {
    if (!this.stream.closed) {
      this.stream.closed = true;
      this.emit('close');
    }
  }
}

/** An event as a client receives it. */
export interface ReceivedEvent {
  readonly type: string;
  readonly data: string;
  /** The id of its frame, if that had one. */
  readonly id: string | undefined;
}

/** A client of delivery, without a network: it parses bytes, and keeps the id as a browser does. */
export class RigClient {
  readonly events: ReceivedEvent[] = [];
  readonly frames: SseFrame[] = [];
  lastEventId: string | undefined;
  /** True when it was told that there is nothing left for it, as by a 204. */
  wasTurnedAway = false;
  isClosed = false;
  /** Called after each event. */
  onEvent: (() => void) | undefined;
  private readonly parser = new SseFrameParser((frame) => this.record(frame));
  readonly response = new ControlledResponse((bytes) => this.parser.push(bytes));

  constructor(lastEventId: string | undefined) {
    this.lastEventId = lastEventId;
    this.response.on('close', () => (this.isClosed = true));
  }

  get data(): string[] {
    return this.events.map(({ data }) => data);
  }

  /** Stops taking what is written. */
  stall(): void {
    this.response.isStalled = true;
  }

  readOn(): void {
    this.response.readOn();
  }

  /** Loses the connection, and what has not been taken. */
  cut(): void {
    this.response.destroy();
  }

  private record(frame: SseFrame): void {
    this.frames.push(frame);
    if (frame.id !== undefined) {
      this.lastEventId = frame.id;
    }
    if (frame.data !== undefined && frame.type !== 'sse:open') {
      this.events.push({ type: frame.type ?? 'message', data: frame.data, id: frame.id });
      this.onEvent?.();
    }
  }
}

const OPTIONS: DeliveryOptions = {
  retain: { events: 1_000, bytes: 1_048_576, age: 300_000 },
  linger: 60_000,
  readyTimeout: 1_000,
  maxChannels: 100,
  eventSize: 1_048_576,
  lastEventIdLength: 8_192,
  retry: 3_000,
  heartbeat: 0,
  stallTimeout: 0,
  maxAge: 0,
  drainTimeout: 100,
  maxConnections: Infinity,
  maxConnectionsPerClient: Infinity,
};

/** What a handler makes of the events of its channels. */
export type RigHandler = (
  events$: Observable<SseEvent>,
  writer: HandlerWriter,
) => Observable<unknown>;

/** How a client connects. */
export interface RigConnection {
  readonly lastEventId?: string | undefined;
  /** Its channels. Default: those of the requests, opened for it. */
  readonly subscription?: Subscription;
  readonly overflow?: Overflow | undefined;
  /** Takes the states that the client receives. Default: none. */
  readonly snapshots?: RequestSnapshots | undefined;
  /** Default: none, the channels go to the client as they are. */
  readonly handler?: RigHandler | undefined;
  /** Whom it counts for. Default: one for all. */
  readonly counted?: CountedAs;
}

/** Delivery with clients that have no network between them. */
export class ClientRig {
  readonly delivery: Delivery;
  /** What was logged as an error or a warning. */
  readonly logged: string[] = [];
  /** What was logged beside. */
  readonly notes: string[] = [];

  constructor(options: Partial<DeliveryOptions> = {}) {
    const note = (message: string): void => void this.logged.push(message);
    const log: SseLogger = {
      log: (message) => void this.notes.push(message),
      warn: note,
      error: note,
    };
    this.delivery = new Delivery({ ...OPTIONS, ...options }, countingLog(log));
  }

  /** Connects a client as an endpoint does. */
  async connect(requests: readonly ChannelRequest[], how: RigConnection = {}): Promise<RigClient> {
    const { lastEventId, overflow = 'reset', handler, snapshots, counted = 'client' } = how;
    const client = new RigClient(lastEventId);
    const { delivery } = this;
    const subscription = how.subscription ?? delivery.subscribe(requests, snapshots);
    await subscription.place({ lastEventId, readyTimeout: delivery.readyTimeout });
    if (client.isClosed) {
      subscription.close();
      return client;
    }
    if (subscription.hasEnded) {
      subscription.close();
      client.wasTurnedAway = true;
      client.isClosed = true;
      return client;
    }
    const arrival = {
      isGone: false,
      drain: () => undefined,
      leave: () => undefined,
      sendAway: () => undefined,
      destroy: () => undefined,
    };
    delivery.connections.admit(arrival, counted);
    client.response.write(Buffer.from(openingFrame('event', 3_000, subscription)));
    const connection = delivery.connections.add(
      arrival,
      client.response as unknown as Response,
      undefined,
    );
    snapshots?.endOnFailure(connection);
    connection.readBy(
      handler
        ? this.handled(requests, subscription, handler).writingTo(connection)
        : delivery.readerOf(subscription, connection, overflow),
    );
    return client;
  }

  close(): void {
    this.delivery.close();
  }

  /** Reads channels through a handler. */
  private handled(
    requests: readonly ChannelRequest[],
    subscription: Subscription,
    handler: RigHandler,
  ): HandlerWriter {
    const { delivery } = this;
    const { guard, eventLimits: limits } = delivery;
    const writer = new HandlerWriter({ handler: 'a handler', guard, limits });
    const reopen = (position: string | undefined) => delivery.subscribeAt(requests, position);
    const events = new HandlerEvents(subscription, requests, reopen, writer, guard);
    writer.readFrom(events);
    writer.subscribe(handler(events.events$, writer));
    return writer;
  }
}
