import { setImmediate } from 'node:timers/promises';
import type { Delivery } from '../delivery/delivery.js';
import { HandlerEvents } from '../delivery/handler-events.js';
import { HandlerWriter } from '../delivery/handler-writer.js';
import type { ChannelRequest, Subscription } from '../delivery/subscription.js';
import type { Exchange } from './exchange.js';
import type { Route } from './route.js';
import type { StreamOpener } from './stream-opener.js';

/** What a request's handler reads and writes, until the response has begun. */
export class HandlerStream {
  readonly writer: HandlerWriter;
  /** The channels' events, once the client has its place in them. */
  events: HandlerEvents | undefined;
  private subscription: Subscription | undefined;

  constructor(
    readonly exchange: Exchange,
    readonly route: Route,
    private readonly delivery: Delivery,
    private readonly streams: StreamOpener,
  ) {
    const { guard, eventLimits: limits, serialize } = delivery;
    this.writer = new HandlerWriter({ handler: route.where, guard, limits, serialize });
  }

  /** Waits for the request's turn, and gives it its place. If false, it is answered or gone. */
  async isAdmitted(): Promise<boolean> {
    const { exchange, streams } = this;
    if (!(await exchange.turn())) {
      return false;
    }
    streams.identify(exchange, this.route);
    return streams.admit(exchange);
  }

  /** Gives the handler the events of channels, from the client's place in them. */
  readFrom(requests: readonly ChannelRequest[], subscription: Subscription): HandlerEvents {
    const { delivery, writer } = this;
    this.subscription = subscription;
    this.events = new HandlerEvents(
      subscription,
      (position) => delivery.subscribeAt(requests, position),
      writer,
      delivery.guard,
    );
    writer.readFrom(this.events);
    return this.events;
  }

  /** Closes the channels that the handler was to read. */
  leaveChannels(): void {
    this.events?.close();
    this.events = undefined;
    this.subscription = undefined;
  }

  /**
   * Begins the response once it is known what fails in this turn, which can still be answered
   * with a status. The stream is closed if the client has left, or there is no room for it.
   * @throws whatever has failed
   */
  async begin(): Promise<void> {
    const { exchange, writer } = this;
    let hasBegun = false;
    try {
      await setImmediate();
      if (writer.failure) {
        throw writer.failure.cause;
      }
      const subscription = this.subscription ?? this.delivery.subscribe([]);
      hasBegun = await this.streams.start(exchange, subscription, (connection) =>
        writer.writingTo(connection),
      );
    } finally {
      if (!hasBegun) {
        writer.close();
      }
    }
  }
}
