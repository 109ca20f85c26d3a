import {
  BadRequestException,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { from, isObservable, lastValueFrom, Observable, of } from 'rxjs';
import { SseError } from '../channel/sse-error.js';
import { ChannelStream, Delivery } from '../delivery/delivery.js';
import { HandlerWriter } from '../delivery/handler-writer.js';
import type { ChannelRequest, Subscription } from '../delivery/subscription.js';
import type { EndpointOptions } from '../sse.options.js';
import { Exchange, RequestGone } from './exchange.js';
import { OtherInterceptors } from './other-interceptors.js';
import { HandlerResult, routeOf, type Route } from './route.js';
import { RouteChannels } from './route-channels.js';
import { withEvents } from './sse-params.decorator.js';
import { StreamOpener } from './stream-opener.js';

/**
 * Turns a request to an `@SseChannel()` endpoint into a stream. It runs innermost, after
 * guards and all other interceptors. Until the head is written, whatever is thrown reaches
 * the exception filters.
 */
@Injectable()
export class SseChannelInterceptor implements NestInterceptor {
  constructor(
    private readonly delivery: Delivery,
    private readonly streams: StreamOpener,
    private readonly channels: RouteChannels,
    private readonly others: OtherInterceptors,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const exchange = new Exchange(context);
    const route = routeOf(context.getHandler())!;
    try {
      await this.respond(exchange, route, next);
    } catch (error) {
      if (!(error instanceof RequestGone)) {
        throw error instanceof SseError && error.code === 'INVALID_CHANNEL'
          ? new BadRequestException(error.message, { cause: error })
          : error;
      }
    } finally {
      this.streams.dismiss(exchange);
    }
    // Whatever surrounds the stream sees it begin and end. Where nothing does, nothing is
    // kept for it.
    return this.others.surround(context) ? untilClosed(exchange) : of(undefined);
  }

  private async respond(exchange: Exchange, route: Route, next: CallHandler): Promise<void> {
    if (exchange.isHead) {
      exchange.answer();
      return;
    }
    if (!(await exchange.turn())) {
      return;
    }
    this.streams.identify(exchange, route);
    if (!this.streams.admit(exchange)) {
      return;
    }
    const requests = await exchange.whileHere(this.channels.of(route, exchange.request));
    if (exchange.isGone) {
      return;
    }
    const subscription = await this.streams.subscribe(exchange, requests);
    if (!subscription) {
      return;
    }
    const writer = new HandlerWriter(
      { first: subscription, another: () => this.delivery.subscribe(requests) },
      (error) => this.delivery.guard.report("A handler's stream", error),
    );
    let isStarted = false;
    try {
      isStarted = await this.stream(exchange, route, next, writer, requests, subscription);
    } finally {
      if (!isStarted) {
        writer.close();
      }
    }
  }

  /** Calls the handler, and streams what it stands for. True once the subscription is read. */
  private async stream(
    exchange: Exchange,
    { options, hasCustomParams }: Route,
    next: CallHandler,
    writer: HandlerWriter,
    requests: readonly ChannelRequest[],
    subscription: Subscription,
  ): Promise<boolean> {
    if (hasCustomParams) {
      exchange.provideSignal();
    }
    const { value } = await withEvents(exchange.request, writer.events$, () =>
      exchange.whileHere(lastValueFrom(next.handle()) as Promise<HandlerResult>),
    );
    const stream = streamOf(value);
    if (stream instanceof ChannelStream) {
      const own = await this.streams.subscribe(exchange, stream.requests(), stream.lastEventId);
      if (own) {
        this.streamOwn(exchange, options, own);
      }
      return false;
    }
    if (stream) {
      writer.subscribe(stream);
      // What fails in this turn can still be answered with a status.
      await setImmediate();
      if (writer.error) {
        throw writer.error.cause;
      }
    } else if (requests.length === 0) {
      throw new SseError(
        'INVALID_OPTION',
        'The handler returned nothing, and its @SseChannel() names no channel. ' +
          'Name one, or return an Observable.',
      );
    }
    if (exchange.isGone) {
      return false;
    }
    return stream
      ? this.streams.start(exchange, subscription, (connection) => writer.writingTo(connection))
      : this.streams.streamChannels(exchange, options, subscription);
  }

  /** Streams the channels that the handler has chosen in place of the route's. */
  private streamOwn(exchange: Exchange, options: EndpointOptions, own: Subscription): void {
    let isStarted = false;
    try {
      isStarted = this.streams.streamChannels(exchange, options, own);
    } finally {
      if (!isStarted) {
        own.close();
      }
    }
  }
}

/** What a handler returned as an Observable; nothing for nothing. */
function streamOf(value: unknown): Observable<unknown> | undefined {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (isObservable(value)) {
    return value;
  }
  if (typeof value === 'object' && Symbol.asyncIterator in value) {
    return from(value as AsyncIterable<unknown>);
  }
  throw new SseError(
    'INVALID_OPTION',
    `The handler of an @SseChannel() endpoint returned ${describe(value)}. Return an Observable ` +
      'or an async iterable, or nothing for the channel as it is.',
  );
}

function describe(value: unknown): string {
  return typeof value === 'object'
    ? `a ${value!.constructor?.name ?? 'null-prototype object'}`
    : `a ${typeof value}`;
}

/** Emits once the stream is over; ends the stream when nobody waits for that any more. */
function untilClosed(exchange: Exchange): Observable<unknown> {
  return new Observable((subscriber) => {
    const close = (): void => {
      subscriber.next(undefined);
      subscriber.complete();
    };
    exchange.onceClosed(close);
    return () => exchange.end();
  });
}
