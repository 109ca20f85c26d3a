import { HttpException, HttpStatus, Inject, Injectable } from '@nestjs/common';
import { SseError } from '../channel/sse-error.js';
import { ChannelReader } from '../delivery/channel-reader.js';
import type { Connection, ConnectionReader } from '../delivery/connection.js';
import { Delivery } from '../delivery/delivery.js';
import { MergedReader } from '../delivery/merged-reader.js';
import { RESET_ON_OVERFLOW, type Overflow } from '../delivery/overflow.js';
import { NO_POSITION, type ChannelRequest, type Subscription } from '../delivery/subscription.js';
import { SSE_SETTINGS } from '../sse.constants.js';
import type { EndpointOptions } from '../sse.options.js';
import type { SseSettings } from '../sse.settings.js';
import type { Exchange } from './exchange.js';
import { lastEventIdOf } from './last-event-id.js';

/** Lets clients in, finds their place in the channels, and opens their streams. */
@Injectable()
export class StreamOpener {
  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly delivery: Delivery,
  ) {}

  /**
   * Whether there is room for this client. If not, it has been answered.
   * @throws HttpException 429 when this client has too many connections
   */
  admits(exchange: Exchange): boolean {
    const refusal = this.delivery.connections.refusal(this.clientOf(exchange));
    if (refusal === 'client-limit') {
      throw new HttpException(
        'This client has too many open event streams.',
        HttpStatus.TOO_MANY_REQUESTS,
      );
    }
    if (refusal) {
      this.sendAway(exchange);
    }
    return refusal === undefined;
  }

  /**
   * Opens channels for a client and finds its place in them. `undefined`: there was no
   * room for it, or it has left, or there is nothing left for it; it has been answered.
   * @throws SseError `INVALID_CHANNEL`
   */
  async subscribe(
    exchange: Exchange,
    requests: readonly ChannelRequest[],
    ownLastEventId?: string,
  ): Promise<Subscription | undefined> {
    const lastEventId = ownLastEventId ?? this.lastEventIdOf(exchange);
    const subscription = this.open(exchange, requests);
    if (!subscription) {
      return undefined;
    }
    const { readyTimeout } = this.settings;
    await subscription.place({ lastEventId, readyTimeout });
    if (!exchange.isGone && !subscription.hasEnded) {
      return subscription;
    }
    subscription.close();
    if (!exchange.isGone) {
      exchange.answerEnded();
    }
    return undefined;
  }

  /** Streams the channels of a subscription as they are; see `start`. */
  streamChannels(
    exchange: Exchange,
    options: EndpointOptions,
    subscription: Subscription,
  ): boolean {
    return this.start(exchange, options, subscription, (connection) =>
      this.readerOf(subscription, connection, overflowOf(options)),
    );
  }

  /**
   * Begins the response, and has a reader write to it. False when there was no room left, and
   * the client has been answered; what was opened for it is then closed by the caller.
   * @throws HttpException 429 when this client has too many connections
   */
  start(
    exchange: Exchange,
    options: EndpointOptions,
    subscription: Subscription,
    readerFor: (connection: Connection) => ConnectionReader,
  ): boolean {
    const expires = options.expires?.(exchange.request)?.valueOf();
    // Others may have come in while this client's place was looked for.
    if (!this.admits(exchange)) {
      return false;
    }
    if (!subscription.hasRoom(this.settings.limits.connectionsPerChannel)) {
      this.sendAway(exchange);
      return false;
    }
    const { opening, retry } = this.settings;
    const response = exchange.open(opening, retry, subscription.id);
    const connection = this.delivery.connections.add(response, this.clientOf(exchange), expires);
    connection.readBy(readerFor(connection));
    return true;
  }

  /** One that is too long to be a position is none, and goes no further. */
  private lastEventIdOf({ request }: Exchange): string | undefined {
    const id = lastEventIdOf(request);
    return id !== undefined && id.length > this.settings.limits.lastEventIdLength
      ? NO_POSITION
      : id;
  }

  private open(exchange: Exchange, requests: readonly ChannelRequest[]): Subscription | undefined {
    try {
      const subscription = this.delivery.subscribe(requests);
      if (subscription.hasRoom(this.settings.limits.connectionsPerChannel)) {
        return subscription;
      }
      subscription.close();
    } catch (error) {
      if (!(error instanceof SseError && error.code === 'LIMIT_REACHED')) {
        throw error;
      }
    }
    this.sendAway(exchange);
    return undefined;
  }

  private readerOf(
    subscription: Subscription,
    connection: Connection,
    overflow: Overflow,
  ): ConnectionReader {
    const [first, second] = subscription.cursors;
    return first && !second
      ? new ChannelReader(subscription, connection, this.delivery.blocksOf(first.channel), overflow)
      : new MergedReader(subscription, connection, overflow);
  }

  /** An EventSource takes any error status as final, so there is none. */
  private sendAway(exchange: Exchange): void {
    exchange.answer(this.delivery.connections.awayFrame);
  }

  private clientOf(exchange: Exchange): string {
    return this.settings.clientKey(exchange.request);
  }
}

function overflowOf({ overflow, key }: EndpointOptions): Overflow {
  if (overflow === 'latest' && key) {
    return { policy: 'latest', key };
  }
  return overflow === 'disconnect' ? { policy: 'disconnect' } : RESET_ON_OVERFLOW;
}
