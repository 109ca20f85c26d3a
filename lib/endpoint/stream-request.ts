import type { ExecutionContext } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { SseError } from '../channel/sse-error.js';
import type { CountedAs } from '../delivery/client.js';
import type { Connection, ConnectionReader } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import { dialectOfAll } from '../delivery/dialect.js';
import { HandlerEvents } from '../delivery/handler-events.js';
import { HandlerWriter } from '../delivery/handler-writer.js';
import { deniedFrame, openingFrame } from '../delivery/opening.js';
import type { ChannelRequest, Subscription } from '../delivery/subscription.js';
import { WholeConnection } from '../delivery/whole-connection.js';
import type { SseSettings } from '../setup/settings.js';
import { checkExpiry, countedOf, expiryOf, tooManyStreams } from './access.js';
import { Exchange } from './exchange.js';
import type { ChannelSet } from './channel-set.js';
import { startOf } from './last-event-id.js';
import { revalidationOf } from './revalidation.js';
import { RevocationCheck } from './revocation-check.js';
import type { GrantedChannels } from './granted-channels.js';
import type { Route } from './route.js';
import { snapshotsOf, type RequestSnapshots } from './snapshots.js';

/**
 * One request on its way to a stream: its place among the open connections, and the client's place
 * in the channels. The caller who makes it must call `dismiss()` later.
 */
export class StreamRequest {
  readonly exchange: Exchange;
  readonly writer: HandlerWriter;
  /** The channels' events for the handler, once the client has its place in them. */
  events: HandlerEvents | undefined;
  /** What the request may read by its route. */
  requested: GrantedChannels = { channels: [], denied: [] };
  private set: ChannelSet | undefined;
  private subscription: Subscription | undefined;
  snapshots: RequestSnapshots | undefined;
  /** Whose method the endpoint is, if the route has functions. */
  controller: object | undefined;
  /** In milliseconds since the epoch. */
  private expiresAt: number | undefined;
  counted: CountedAs = '';
  private readonly revocation: RevocationCheck;

  constructor(
    context: ExecutionContext,
    readonly route: Route,
    private readonly settings: SseSettings,
    private readonly delivery: Delivery,
  ) {
    this.exchange = new Exchange(context, route.options.run === true);
    this.revocation = new RevocationCheck(delivery.revocations, this.exchange);
    const { guard, eventLimits: limits, serialize } = delivery;
    this.writer = new HandlerWriter({ handler: route.where, guard, limits, serialize });
  }

  /** Notes the request while interceptors work on it. False when a shutdown has sent it away. */
  meet(): boolean {
    return this.delivery.connections.meet(this.exchange);
  }

  /** Takes the place back, unless the request has become a stream. */
  dismiss(): void {
    this.delivery.connections.dismiss(this.exchange);
  }

  /**
   * Waits for the request's turn, asks the application who the client is and until when it may
   * read, and gives the request its place. False when the request has been answered or is gone.
   *
   * @throws SseError `INVALID_OPTION` for an invalid answer of the application
   * @throws HttpException 401 when the permission has ended, 403 when the request has come with
   * somebody else's ticket, 429 for too many connections
   */
  async admit(): Promise<boolean> {
    const { exchange, settings, delivery, controller } = this;
    const { options, where } = this.route;
    const turn = exchange.turn();
    if ((turn && !(await turn)) || exchange.isGone) {
      return false;
    }
    this.expiresAt = expiryOf(options.expires?.call(controller, exchange.request), where);
    const client = options.client?.bind(controller) ?? settings.client;
    this.counted = countedOf(exchange.request, client, where);
    const areRevocationsKnown = delivery.revocations.areKnown;
    const answered = areRevocationsKnown && this.revocation.answer(this.counted);
    await answered;
    if (answered) {
      return false;
    }
    const refusal = delivery.connections.admit(exchange, this.counted);
    if (refusal === 'client-limit') {
      throw tooManyStreams();
    }
    if (refusal) {
      await exchange.answerAway(delivery.connections.awayTime);
      return false;
    }
    if (areRevocationsKnown) {
      return true;
    }
    // It waits in its place, so that the limits hold, and a shutdown sends it away.
    await exchange.whileHere(delivery.revocations.whenKnown(settings.readyTimeout));
    const lateAnswer = this.revocation.answer(this.counted);
    await lateAnswer;
    return !lateAnswer;
  }

  /**
   * Opens channels in place of those before, and finds the client's place in them. False when the
   * request has been answered or is gone: there was no room, or the client's runs have ended.
   *
   * @param set how the channels change
   * @throws SseError `INVALID_CHANNEL`
   */
  async subscribe(
    requests: readonly ChannelRequest[],
    ownLastEventId?: string,
    set?: ChannelSet,
  ): Promise<boolean> {
    const { exchange, delivery, writer } = this;
    const { readyTimeout, limits } = this.settings;
    const lastEventId = ownLastEventId ?? startOf(exchange.request, limits.lastEventIdLength);
    const { from, isOwnChoice } = this.requested;
    const subscription = this.open(requests, set);
    if (!subscription) {
      await exchange.answerAway(delivery.connections.awayTime);
      return false;
    }
    this.leaveChannels();
    this.subscription = subscription;
    this.set = set;
    const reopen = (position?: string) => delivery.subscribeAt(requests, position);
    this.events = new HandlerEvents(subscription, requests, reopen, writer, delivery.guard);
    writer.readFrom(this.events);
    const answered = this.revocation.answer(this.counted, subscription, this.requested);
    await answered;
    if (answered) {
      return false;
    }
    const placed = subscription.place({ lastEventId, from, isOwnChoice, readyTimeout });
    if (placed) {
      await exchange.whileHere(placed);
    }
    if (subscription.hasEnded) {
      await exchange.answerEnded();
    }
    return !subscription.hasEnded && !exchange.isGone;
  }

  /** Closes the channels: nobody will receive their events. */
  leaveChannels(): void {
    this.events?.close();
    this.events = undefined;
    this.subscription = undefined;
  }

  /** Begins a stream of the channels as they are; see `start`. */
  streamChannels(): Promise<boolean> {
    const { delivery, subscription } = this;
    const { overflow = 'reset' } = this.route.options;
    return this.start(subscription!, (connection) =>
      delivery.readerOf(subscription!, connection, overflow),
    );
  }

  /**
   * Begins a stream of the writer's events after this turn, so that a failure until then can still
   * lead to a status. Closes the writer when no stream begins.
   *
   * @throws the failure until then
   */
  async streamHandler(): Promise<void> {
    const { writer } = this;
    let hasBegun = false;
    try {
      await setImmediate();
      if (writer.failure) {
        throw writer.failure.cause;
      }
      // Without channels, when an interceptor has answered in the handler's place.
      const subscription = this.subscription ?? this.delivery.subscribe([]);
      hasBegun = await this.start(subscription, (connection) => writer.writingTo(connection));
    } finally {
      if (!hasBegun) {
        writer.close();
      }
    }
  }

  /**
   * Begins the response, and makes a reader write to it. False when the client has left, or has been
   * sent away because there was no room left.
   *
   * @throws UnauthorizedException when the permission has ended meanwhile
   */
  private async start(
    subscription: Subscription,
    readerFor: (connection: Connection) => ConnectionReader,
  ): Promise<boolean> {
    const { exchange, expiresAt, delivery, set } = this;
    const { connections } = delivery;
    checkExpiry(expiresAt);
    set?.check();
    const answered = this.revocation.answer(this.counted, subscription, this.requested);
    await answered;
    if (answered || !(await exchange.take())) {
      return false;
    }
    // Other clients may have come in meanwhile, and hooks of Fastify may have taken their time.
    set?.begin();
    const refusal = this.revocation.refusal(this.counted, subscription) ?? set?.failure;
    if (refusal || !subscription.hasRoom(this.settings.limits.connectionsPerChannel)) {
      exchange.closeAway(connections.awayTime);
      return false;
    }
    const { opening, retry } = this.settings;
    const dialect = dialectOfAll(subscription.cursors);
    const place = openingFrame(dialect ? 'frame' : opening, retry, subscription);
    const response = exchange.open(place + deniedFrame(this.requested.denied), dialect);
    const connection = connections.add(exchange, response, expiresAt, dialect && WholeConnection);
    this.snapshots?.endOnFailure(connection);
    connection.readBy(readerFor(connection));
    const isFixed = typeof this.route.channels === 'string';
    delivery.attend(connection, this.counted, this.route.options.presence, isFixed);
    set?.follow(connection, this.counted);
    revalidationOf(this.route, delivery)?.add(connection, exchange, this.controller);
    return true;
  }

  /** Opens channels; `undefined` when there is no room. */
  private open(
    requests: readonly ChannelRequest[],
    set: ChannelSet | undefined,
  ): Subscription | undefined {
    const { route, delivery, exchange, settings } = this;
    try {
      this.snapshots ??= snapshotsOf(route, delivery, exchange.request, settings.retry);
      const subscription =
        set?.subscribe(requests, this.snapshots) ?? delivery.subscribe(requests, this.snapshots);
      if (subscription.hasRoom(settings.limits.connectionsPerChannel)) {
        return subscription;
      }
      subscription.close();
    } catch (error) {
      if (!(error instanceof SseError && error.code === 'LIMIT_REACHED')) {
        throw error;
      }
    }
    return undefined;
  }
}
