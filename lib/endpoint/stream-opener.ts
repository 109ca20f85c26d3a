import { HttpException, HttpStatus, Inject, Injectable } from '@nestjs/common';
import { atOnce } from '../channel/at-once.js';
import { SseError } from '../channel/sse-error.js';
import { ChannelReader } from '../delivery/channel-reader.js';
import type { Connection, ConnectionReader } from '../delivery/connection.js';
import { Delivery } from '../delivery/delivery.js';
import { MergedReader } from '../delivery/merged-reader.js';
import { openingFrame } from '../delivery/opening.js';
import type { Overflow } from '../delivery/overflow.js';
import { NO_POSITION } from '../delivery/resume-positions.js';
import type { ChannelRequest, Subscription } from '../delivery/subscription.js';
import type { EndpointOptions } from '../setup/channel-options.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { clientByTicket } from '../tickets/redeemed.js';
import { checkExpiry, clientOf, expiryOf } from './access.js';
import type { Exchange } from './exchange.js';
import { lastEventIdOf } from './last-event-id.js';
import type { Route } from './route.js';

/** Lets clients in, finds their place in the channels, and opens their streams. */
@Injectable()
export class StreamOpener {
  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly delivery: Delivery,
  ) {}

  /**
   * Asks the application who the client is and until when it may read, before anything is read.
   * @throws SseError `INVALID_OPTION` for an answer that is none
   * @throws UnauthorizedException when the permission has ended
   * @throws ForbiddenException when the request has come with somebody else's ticket
   */
  identify(exchange: Exchange, { options, where }: Route): void {
    exchange.expiresAt = expiryOf(atOnce(options.expires?.(exchange.request)), where);
    const client = options.client ?? this.settings.client;
    const { request } = exchange;
    const answer = clientOf(atOnce(client?.(request)), where);
    exchange.client = clientByTicket(request, answer) ?? request.ip ?? '';
  }

  /**
   * Gives a request its place, until it is dismissed or its stream ends. If there is no room for
   * it, it has been answered.
   * @throws HttpException 429 when this client has too many connections
   */
  async admit(exchange: Exchange): Promise<boolean> {
    const refusal = this.delivery.connections.admit(exchange, exchange.client);
    if (refusal === 'client-limit') {
      throw new HttpException(
        'This client has too many open event streams.',
        HttpStatus.TOO_MANY_REQUESTS,
      );
    }
    if (refusal) {
      await this.sendAway(exchange);
    }
    return refusal === undefined;
  }

  /** Notes a request that interceptors look at first; false when it has been sent away. */
  meet(exchange: Exchange): boolean {
    return this.delivery.connections.meet(exchange);
  }

  /** Takes the place back of a request that has not become a stream. */
  dismiss(exchange: Exchange): void {
    this.delivery.connections.dismiss(exchange);
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
    const subscription = await this.open(exchange, requests);
    if (!subscription) {
      return undefined;
    }
    const { readyTimeout } = this.settings;
    let isPlaced = false;
    try {
      const placed = subscription.place({ lastEventId, readyTimeout });
      if (placed) {
        await exchange.whileHere(placed);
      }
      isPlaced = !exchange.isGone && !subscription.hasEnded;
    } finally {
      if (!isPlaced) {
        subscription.close();
      }
    }
    if (!isPlaced && !exchange.isGone) {
      await exchange.answerEnded();
    }
    return isPlaced ? subscription : undefined;
  }

  /** Streams the channels of a subscription as they are; see `start`. */
  streamChannels(
    exchange: Exchange,
    options: EndpointOptions,
    subscription: Subscription,
  ): Promise<boolean> {
    return this.start(exchange, subscription, (connection) =>
      this.readerOf(subscription, connection, options.overflow ?? 'reset'),
    );
  }

  /**
   * Begins the response, and has a reader write to it. False when the client has left, or there
   * was no room left and it has been answered; what was opened for it is then closed by the caller.
   * @throws UnauthorizedException when the permission has ended meanwhile
   */
  async start(
    exchange: Exchange,
    subscription: Subscription,
    readerFor: (connection: Connection) => ConnectionReader,
  ): Promise<boolean> {
    checkExpiry(exchange.expiresAt);
    if (!(await exchange.take())) {
      return false;
    }
    // Others may have come in while this client's place was looked for.
    if (!subscription.hasRoom(this.settings.limits.connectionsPerChannel)) {
      exchange.close(this.delivery.connections.awayFrame);
      return false;
    }
    const { opening, retry } = this.settings;
    const response = exchange.open(openingFrame(opening, retry, subscription));
    const connection = this.delivery.connections.add(exchange, response, exchange.expiresAt);
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

  private async open(
    exchange: Exchange,
    requests: readonly ChannelRequest[],
  ): Promise<Subscription | undefined> {
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
    await this.sendAway(exchange);
    return undefined;
  }

  private readerOf(
    subscription: Subscription,
    connection: Connection,
    overflow: Overflow,
  ): ConnectionReader {
    const [first, second] = subscription.cursors;
    return first && !second
      ? new ChannelReader(
          subscription,
          connection,
          this.delivery.blocks.of(first.channel, subscription.isLabelled),
          overflow,
        )
      : new MergedReader(subscription, connection, overflow);
  }

  /** An EventSource takes any error status as final, so there is none. */
  private sendAway(exchange: Exchange): Promise<void> {
    return exchange.answer(this.delivery.connections.awayFrame);
  }
}
