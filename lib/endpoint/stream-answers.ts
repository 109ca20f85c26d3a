import {
  BadRequestException,
  HttpException,
  Inject,
  Injectable,
  type ExecutionContext,
} from '@nestjs/common';
import { isPromise } from 'node:util/types';
import { Observable } from 'rxjs';
import { isAbort, isOf } from '../channel/reason.js';
import { SseError } from '../channel/sse-error.js';
import { ChannelStream } from '../delivery/channel-stream.js';
import { Delivery } from '../delivery/delivery.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { RequestGone } from './stay.js';
import type { RequestAndResponse } from './exchange.js';
import { streamOf, type HandlerResult } from './handler-result.js';
import { RouteChannels } from './route-channels.js';
import { provideSignal } from './request-signal.js';
import type { Route } from './route.js';
import { withParams } from './sse-params.decorator.js';
import { answerWithout } from './run-request.js';
import { StreamRequest } from './stream-request.js';

/** Calls a handler. */
export type Call = () => HandlerResult | Promise<HandlerResult>;

/**
 * Answers requests to `@SseChannel()` endpoints, once guards and interceptors have let them pass. Until the
 * head is written, errors reach the exception filters.
 */
@Injectable()
export class StreamAnswers {
  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    readonly delivery: Delivery,
    private readonly channels: RouteChannels,
  ) {}

  /** A request on its way to a stream. The caller must dismiss it later. */
  requestOf(context: ExecutionContext, route: Route): StreamRequest {
    const http = context.switchToHttp();
    return this.requestFor({ request: http.getRequest(), response: http.getResponse() }, route);
  }

  /**
   * The same, without a context of Nest.
   * @param controller whose method the endpoint is
   */
  requestFor(given: RequestAndResponse, route: Route, controller?: object): StreamRequest {
    return new StreamRequest(given, route, this.settings, this.delivery, controller);
  }

  /** Answers a request that nothing surrounds, and dismisses it. */
  async answer(request: StreamRequest, call: Call): Promise<void> {
    try {
      const source = await this.respond(request, call);
      if (source) {
        request.writer.subscribe(source);
        await request.streamHandler();
      }
    } catch (error) {
      rethrow(error);
    } finally {
      request.dismiss();
    }
  }

  /** Answers a request, or returns the Observable of its handler for the caller to stream. */
  async respond(request: StreamRequest, call: Call): Promise<Observable<unknown> | undefined> {
    const { exchange, route } = request;
    if (exchange.isHead) {
      await exchange.answer();
      return undefined;
    }
    const admitted = request.admit();
    if (!(isPromise(admitted) ? await admitted : admitted)) {
      return undefined;
    }
    let pause = this.delivery.openings.enter();
    if (pause) {
      await exchange.whileHere(pause);
    }
    const asked = this.channels.of(route, request);
    const requested = isPromise(asked)
      ? await exchange.whileHere(asked, this.lateFailure(`The resolver of ${route.where}`))
      : asked;
    // The answers to many requests may come in one turn. What follows must not wait for anything else.
    pause = requested === asked ? undefined : this.delivery.openings.enter();
    if (pause) {
      await exchange.whileHere(pause);
    }
    if (exchange.isGone) {
      return undefined;
    }
    const { channels, set, start, missing } = requested;
    request.requested = requested;
    if (missing) {
      await answerWithout(missing, exchange, this.delivery);
      return undefined;
    }
    let isStreamed = false;
    try {
      const subscribed = request.subscribe(channels, start, set);
      if (!(isPromise(subscribed) ? await subscribed : subscribed)) {
        return undefined;
      }
      const called = this.callHandler(request, call);
      const source = isPromise(called) ? await called : called;
      if (source && !(source instanceof ChannelStream)) {
        if (set) {
          throw new SseError(
            'INVALID_OPTION',
            `The handler ${route.where} returned a stream of its own, and the resolver an Observable. ` +
              'Return nothing from the handler, or a set that does not change from the resolver.',
          );
        }
        isStreamed = true;
        return source;
      }
      if (!source && channels.length === 0 && !set) {
        throw new SseError(
          'INVALID_OPTION',
          `The handler ${route.where} returned nothing, and its @SseChannel() names no channel. ` +
            'Name one, or return an Observable.',
        );
      }
      // A handler may choose other channels than those of the route.
      if (!source || (await request.subscribe(source.requests, source.lastEventId))) {
        const begun = request.streamChannels();
        isStreamed = isPromise(begun) ? await begun : begun;
      }
      return undefined;
    } finally {
      if (!isStreamed) {
        request.leaveChannels();
      }
    }
  }

  /** Calls the handler; `undefined` when it returns nothing. */
  callHandler(
    request: StreamRequest,
    call: Call,
  ): Observable<unknown> | undefined | Promise<Observable<unknown> | undefined> {
    const { exchange, route } = request;
    const result = route.hasCustomParams ? this.callWithEvents(request, call) : call();
    return isPromise(result)
      ? exchange
          .whileHere(result, this.lateFailure(route.where))
          .then((value) => this.streamOf(request, value))
      : this.streamOf(request, result);
  }

  /** Calls a handler whose parameters may be `@SseEvents()` and `@SseSignal()`. */
  private callWithEvents(request: StreamRequest, call: Call): Promise<HandlerResult> {
    const { exchange } = request;
    provideSignal(exchange);
    return withParams(exchange.request, request.events()!.events$, request.requested, async () =>
      call(),
    );
  }

  private streamOf(request: StreamRequest, result: HandlerResult): Observable<unknown> | undefined {
    const { route, snapshots } = request;
    const source = streamOf(result, request, this.delivery.guard);
    snapshots?.callOn(result.controller);
    if (source && route.options.snapshot && !(source instanceof ChannelStream)) {
      throw new SseError(
        'INVALID_OPTION',
        `The handler ${route.where} returned a stream of its own, and \`snapshot\` is for channels as they ` +
          'are. Return nothing or `sse.stream()`, or leave `snapshot` out.',
      );
    }
    return source;
  }

  /**
   * Logs an error that comes after the client has left. Answers to the client, and aborts because
   * it has left, are no errors.
   */
  private lateFailure(what: string): (error: unknown) => void {
    return (error) => {
      if (!isAbort(error) && !isOf(error, HttpException) && !isOf(error, RequestGone)) {
        this.delivery.guard.report(`${what}, whose client had left,`, error);
      }
    };
  }

  /** Emits once the stream is over; ends the stream when its subscriber leaves. */
  untilClosed({ exchange, route }: StreamRequest): Observable<unknown> {
    return new Observable((subscriber) => {
      exchange.onceClosed(
        this.delivery.guard.wrap(`An interceptor around ${route.where}`, () => {
          subscriber.next(undefined);
          subscriber.complete();
        }),
      );
      return () => exchange.end();
    });
  }
}

/** A request that is gone needs no answer. An invalid channel name is the client's mistake. */
export function rethrow(error: unknown): void {
  if (error instanceof RequestGone) {
    return;
  }
  throw error instanceof SseError && error.code === 'INVALID_CHANNEL'
    ? new BadRequestException(error.message, { cause: error })
    : error;
}
