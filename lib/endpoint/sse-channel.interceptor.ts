import {
  BadRequestException,
  HttpException,
  Inject,
  Injectable,
  Optional,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { EMPTY, lastValueFrom, Observable, of } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import { SseError } from '../channel/sse-error.js';
import { ChannelStream } from '../delivery/channel-stream.js';
import { Delivery } from '../delivery/delivery.js';
import { guarded } from '../delivery/guarded-observable.js';
import type { HandlerEvents } from '../delivery/handler-events.js';
import type { Subscription } from '../delivery/subscription.js';
import type { EndpointOptions } from '../setup/channel-options.js';
import { remarkOnCopies } from '../setup/copies.js';
import { SSE_IS_IMPORTED } from '../setup/settings.js';
import { Exchange, RequestGone } from './exchange.js';
import { streamOf, type HandlerResult } from './handler-result.js';
import { HandlerStream } from './handler-stream.js';
import { OtherInterceptors } from './other-interceptors.js';
import { RouteChannels } from './route-channels.js';
import { routeOf } from './route.js';
import { withEvents } from './sse-params.decorator.js';
import { StreamOpener } from './stream-opener.js';
import { surroundedRequest, type SurroundedRequest } from './surrounded-request.js';

/**
 * Turns a request to an `@SseChannel()` endpoint into a stream. It runs innermost, after
 * guards and all other interceptors. Until the head is written, whatever is thrown reaches
 * the exception filters.
 */
@Injectable()
export class SseChannelInterceptor implements NestInterceptor {
  // Optional for Nest, so that we can say what is missing. When the module is imported and fails
  // to start, they are missing as well, and that failure is what is told.
  constructor(
    @Optional() private readonly delivery: Delivery,
    @Optional() private readonly streams: StreamOpener,
    @Optional() private readonly channels: RouteChannels,
    @Optional() private readonly others: OtherInterceptors,
    @Optional() @Inject(SSE_IS_IMPORTED) isImported: boolean,
  ) {
    if (!isImported) {
      throw new SseError(
        'NOT_CONFIGURED',
        '@SseChannel() needs SseModule, and the module of its controller does not have it. Call ' +
          'SseModule.forRoot() once, in the imports of the root module; with `isGlobal: false`, ' +
          `import it in each module that has endpoints.${remarkOnCopies()}`,
      );
    }
  }

  intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const surrounded = surroundedRequest(context.switchToHttp().getRequest<object>());
    return surrounded ? this.answerWithin(surrounded, next) : this.answer(context, next);
  }

  private async answer(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
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
    // Interceptors that Nest has put around the endpoint later see the stream begin and end.
    return this.others.surround(context) ? untilClosed(stream, delivery.guard) : of(undefined);
  }

  /** Answers a request that our outermost interceptor waits for. */
  private async answerWithin(
    surrounded: SurroundedRequest,
    next: CallHandler,
  ): Promise<Observable<unknown>> {
    surrounded.isReached = true;
    const { stream } = surrounded;
    try {
      // An interceptor may call again what has failed.
      const source = stream.events
        ? ((await this.streamOfHandler(stream, stream.events, next)) ?? EMPTY)
        : await this.respond(stream, next);
      if (source) {
        surrounded.streamsHandler();
        return guarded(source, {
          guard: this.delivery.guard,
          what: `the stream of ${stream.route.where}`,
          fail: (thrown) => stream.writer.error(thrown),
        });
      }
    } catch (error) {
      rethrow(error);
    }
    surrounded.isAnswered();
    // What surrounds a stream of channels as they are sees it begin and end.
    return untilClosed(stream, this.delivery.guard);
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
    const pause = this.delivery.openings.enter();
    if (pause) {
      await exchange.whileHere(pause);
    }
    const requests = await exchange.whileHere(
      this.channels.of(route, exchange.request),
      this.lateFailure(`The resolver of ${route.where}`),
    );
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
      exchange.whileHere(
        lastValueFrom(next.handle()) as Promise<HandlerResult>,
        this.lateFailure(route.where),
      ),
    );
    return streamOf(result, writer, this.delivery.guard);
  }

  /**
   * Logs what fails when nobody is there to be answered, but for what tells its client something,
   * or ends with it.
   */
  private lateFailure(what: string): (error: unknown) => void {
    return (error) => {
      const isAbort = (error as Partial<Error> | null | undefined)?.name === 'AbortError';
      if (!isAbort && !(error instanceof HttpException) && !(error instanceof RequestGone)) {
        this.delivery.guard.report(`${what}, whose client had left,`, error);
      }
    };
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
function untilClosed({ exchange, route }: HandlerStream, guard: Guard): Observable<unknown> {
  return new Observable((subscriber) => {
    exchange.onceClosed(
      guard.wrap(`An interceptor around ${route.where}`, () => {
        subscriber.next(undefined);
        subscriber.complete();
      }),
    );
    return () => exchange.end();
  });
}
