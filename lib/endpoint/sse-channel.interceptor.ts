import {
  BadRequestException,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { lastValueFrom, Observable, of } from 'rxjs';
import { SseError } from '../channel/sse-error.js';
import { ChannelStream } from '../delivery/channel-stream.js';
import { Delivery } from '../delivery/delivery.js';
import type { HandlerEvents } from '../delivery/handler-events.js';
import type { Subscription } from '../delivery/subscription.js';
import type { EndpointOptions } from '../sse.options.js';
import { Exchange, RequestGone } from './exchange.js';
import { streamOf, type HandlerResult } from './handler-result.js';
import { HandlerStream } from './handler-stream.js';
import { OtherInterceptors } from './other-interceptors.js';
import { RouteChannels } from './route-channels.js';
import { routeOf } from './route.js';
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
    const { delivery, streams } = this;
    const route = routeOf(context.getHandler())!;
    const exchange = new Exchange(context);
    const stream = new HandlerStream(exchange, route, delivery, streams);
    try {
      const source = await this.respond(stream, next);
      if (source) {
        stream.writer.subscribe(source);
        await stream.begin();
      }
    } catch (error) {
      rethrow(error);
    } finally {
      streams.dismiss(exchange);
    }
    // Whatever surrounds the stream sees it begin and end. Where nothing does, nothing is
    // kept for it.
    return this.others.surround(context) ? untilClosed(exchange) : of(undefined);
  }

  /** Answers a request, or returns the Observable of its handler, which is to be streamed. */
  private async respond(
    stream: HandlerStream,
    next: CallHandler,
  ): Promise<Observable<unknown> | undefined> {
    const { exchange, route } = stream;
    if (exchange.isHead) {
      await exchange.answer();
      return undefined;
    }
    if (!(await stream.isAdmitted())) {
      return undefined;
    }
    const requests = await exchange.whileHere(this.channels.of(route, exchange.request));
    if (exchange.isGone) {
      return undefined;
    }
    const subscription = await this.streams.subscribe(exchange, requests);
    if (!subscription) {
      return undefined;
    }
    const events = stream.readFrom(requests, subscription);
    let isTaken = false;
    try {
      const source = await this.streamOfHandler(stream, events, next);
      if (source instanceof ChannelStream) {
        const own = await this.streams.subscribe(exchange, source.requests(), source.lastEventId);
        if (own) {
          await this.streamOwn(exchange, route.options, own);
        }
        return undefined;
      }
      if (source) {
        isTaken = true;
        return source;
      }
      if (requests.length === 0) {
        throw new SseError(
          'INVALID_OPTION',
          'The handler returned nothing, and its @SseChannel() names no channel. ' +
            'Name one, or return an Observable.',
        );
      }
      isTaken = await this.streams.streamChannels(exchange, route.options, subscription);
      return undefined;
    } finally {
      if (!isTaken) {
        stream.leaveChannels();
      }
    }
  }

  /** Calls the handler; `undefined` when it returns nothing. */
  private async streamOfHandler(
    { exchange, route, writer }: HandlerStream,
    { events$ }: HandlerEvents,
    next: CallHandler,
  ): Promise<Observable<unknown> | undefined> {
    if (route.hasCustomParams) {
      exchange.provideSignal();
    }
    const result = await withEvents(exchange.request, events$, () =>
      exchange.whileHere(lastValueFrom(next.handle()) as Promise<HandlerResult>),
    );
    return streamOf(result, writer, this.delivery.guard);
  }

  /** Streams the channels that the handler has chosen in place of the route's. */
  private async streamOwn(
    exchange: Exchange,
    options: EndpointOptions,
    own: Subscription,
  ): Promise<void> {
    let isStarted = false;
    try {
      isStarted = await this.streams.streamChannels(exchange, options, own);
    } finally {
      if (!isStarted) {
        own.close();
      }
    }
  }
}

/** A request that is gone needs no answer, and what a channel cannot be called is the client's. */
function rethrow(error: unknown): void {
  if (error instanceof RequestGone) {
    return;
  }
  throw error instanceof SseError && error.code === 'INVALID_CHANNEL'
    ? new BadRequestException(error.message, { cause: error })
    : error;
}

/** Emits once the stream is over; ends the stream when nobody waits for that any more. */
function untilClosed(exchange: Exchange): Observable<unknown> {
  return new Observable((subscriber) => {
    exchange.onceClosed(() => {
      subscriber.next(undefined);
      subscriber.complete();
    });
    return () => exchange.end();
  });
}
