import { setImmediate } from 'node:timers/promises';
import { isPromise } from 'node:util/types';
import { SseError } from '../channel/sse-error.js';
import type { Connection, ConnectionReader } from '../delivery/connection.js';
import { dialectOfAll } from '../delivery/dialect.js';
import { HandlerEvents } from '../delivery/handler-events.js';
import { HandlerWriter } from '../delivery/handler-writer.js';
import { deniedFrame, openingFrame } from '../delivery/opening.js';
import type { Subscription } from '../delivery/subscription.js';
import type { ChannelRequest } from '../delivery/channel-request.js';
import { WholeConnection } from '../delivery/whole-connection.js';
import { checkExpiry } from './access.js';
import type { ChannelSet } from './channel-set.js';
import { startOf } from './last-event-id.js';
import { revalidationOf } from './revalidation.js';
import type { GrantedChannels } from './granted-channels.js';
import { isRefused, RequestPlace } from './request-place.js';
import { snapshotsOf, type RequestSnapshots } from './snapshots.js';

/**
 * One request on its way to a stream: beside its place among the open connections, the client's place
 * in the channels. The caller who makes it must call `dismiss()` later.
 */
export class StreamRequest extends RequestPlace {
  private ownWriter: HandlerWriter | undefined;
  private ownEvents: HandlerEvents | undefined;
  /** What the request may read by its route. */
  requested: GrantedChannels = { channels: [], denied: [] };
  private set: ChannelSet | undefined;
  private subscription: Subscription | undefined;
  /** The channels of the subscription. */
  private requests: readonly ChannelRequest[] = [];
  snapshots: RequestSnapshots | undefined;
  /** Writes what the handler emits. Made for those that emit something. */
  get writer(): HandlerWriter {
    const { guard, eventLimits: limits, serialize } = this.delivery;
    const handler = this.route.where;
    return (this.ownWriter ??= new HandlerWriter({ handler, guard, limits, serialize }));
  }

  /** Whether the client has its place in channels. */
  get hasChannels(): boolean {
    return this.subscription !== undefined;
  }

  /** The channels' events for the handler; `undefined` before the client has its place in them. */
  events(): HandlerEvents | undefined {
    const { delivery, subscription, requests, writer } = this;
    if (!this.ownEvents && subscription) {
      const reopen = (position?: string) => delivery.subscribeAt(requests, position);
      const { guard } = delivery;
      this.ownEvents = new HandlerEvents(subscription, requests, reopen, writer, guard);
      writer.readFrom(this.ownEvents);
    }
    return this.ownEvents;
  }

  /**
   * Opens channels in place of those before, and finds the client's place in them. False when the
   * request has been answered or is gone: there was no room, or the client's runs have ended.
   *
   * @param set how the channels change
   * @throws SseError `INVALID_CHANNEL`
   */
  subscribe(
    requests: readonly ChannelRequest[],
    ownLastEventId?: string,
    set?: ChannelSet,
  ): boolean | Promise<boolean> {
    const { exchange, delivery } = this;
    const { readyTimeout, limits } = this.settings;
    const lastEventId = ownLastEventId ?? startOf(exchange.request, limits.lastEventIdLength);
    const { from, isOwnChoice } = this.requested;
    const subscription = this.open(requests, set);
    if (!subscription) {
      return exchange.answerAway(delivery.connections.refuseChannel()).then(isRefused);
    }
    this.leaveChannels();
    this.subscription = subscription;
    this.requests = requests;
    this.set = set;
    const answered = this.revocation.answer(this.counted, subscription, this.requested);
    if (answered) {
      return answered.then(isRefused);
    }
    const placed = subscription.place({ lastEventId, from, isOwnChoice, readyTimeout });
    return placed
      ? exchange.whileHere(placed).then(() => this.isInPlace(subscription))
      : this.isInPlace(subscription);
  }

  private isInPlace({ hasEnded }: Subscription): boolean | Promise<boolean> {
    return hasEnded ? this.exchange.answerEnded().then(isRefused) : !this.exchange.isGone;
  }

  /** Closes the channels: nobody will receive their events. */
  leaveChannels(): void {
    this.subscription?.close();
    this.ownEvents?.close();
    this.ownEvents = undefined;
    this.subscription = undefined;
  }

  /** Begins a stream of the channels as they are; see `start`. */
  streamChannels(): boolean | Promise<boolean> {
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
      // The writer closes them with the stream, whether or not the handler has read them.
      this.events();
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
  private start(
    subscription: Subscription,
    readerFor: (connection: Connection) => ConnectionReader,
  ): boolean | Promise<boolean> {
    const { exchange } = this;
    checkExpiry(this.expiresAt);
    this.set?.check();
    const answered = this.revocation.answer(this.counted, subscription, this.requested);
    if (answered) {
      return answered.then(isRefused);
    }
    const taken = exchange.take();
    return isPromise(taken)
      ? taken.then((isTaken) => isTaken && this.begin(subscription, readerFor))
      : taken && this.begin(subscription, readerFor);
  }

  /** Begins the stream on a response that was taken. */
  private begin(
    subscription: Subscription,
    readerFor: (connection: Connection) => ConnectionReader,
  ): boolean {
    const { exchange, expiresAt, delivery, set } = this;
    const { connections } = delivery;
    // Other clients may have come in meanwhile, and hooks of Fastify may have taken their time.
    set?.begin();
    const refusal = this.revocation.refusal(this.counted, subscription) ?? set?.failure;
    if (refusal) {
      exchange.closeAway(connections.awayTime);
      return false;
    }
    if (!subscription.hasRoom(this.settings.limits.connectionsPerChannel)) {
      exchange.closeAway(connections.refuseChannel());
      return false;
    }
    const { opening, retry } = this.settings;
    const { compression = this.settings.compression } = this.route.options;
    const dialect = dialectOfAll(subscription.cursors);
    const place = openingFrame(dialect ? 'frame' : opening, retry, subscription);
    const first = place + deniedFrame(this.requested.denied);
    const response = exchange.open(first, compression === 'shared', dialect);
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
