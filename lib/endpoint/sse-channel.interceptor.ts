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
import { isPromise } from 'node:util/types';
import { ModuleRef } from '@nestjs/core';
import { EMPTY, lastValueFrom, Observable, of } from 'rxjs';
import { SseError } from '../channel/sse-error.js';
import { ChannelStream } from '../delivery/channel-stream.js';
import { Delivery } from '../delivery/delivery.js';
import { guarded } from '../delivery/guarded-observable.js';
import type { HandlerEvents } from '../delivery/handler-events.js';
import { remarkOnCopies } from '../setup/copies.js';
import { SSE_IS_IMPORTED, SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { RequestGone } from './stay.js';
import { Controllers } from './controllers.js';
import { streamOf, type HandlerResult } from './handler-result.js';
import { OtherInterceptors } from './other-interceptors.js';
import { RouteChannels } from './route-channels.js';
import { routeOf } from './route.js';
import { withParams } from './sse-params.decorator.js';
import { answerWithout } from './run-request.js';
import { StreamRequest } from './stream-request.js';
import { surroundedRequest, type SurroundedRequest } from './surrounded-request.js';

/**
 * Turns a request to an `@SseChannel()` endpoint into a stream. It runs innermost, after guards and
 * all other interceptors. Until the head is written, errors reach the exception filters.
 */
@Injectable()
export class SseChannelInterceptor implements NestInterceptor {
  /** Of the module of this interceptor: Nest makes one for each module that has endpoints. */
  private readonly controllers: Controllers;

  // Optional for Nest, so that our error can say what is missing. They are missing as well when the
  // module fails to start; Nest then reports that failure.
  constructor(
    @Optional() @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    @Optional() private readonly delivery: Delivery,
    @Optional() private readonly channels: RouteChannels,
    @Optional() private readonly others: OtherInterceptors,
    @Optional() @Inject(SSE_IS_IMPORTED) isImported: boolean,
    moduleRef: ModuleRef,
  ) {
    if (!isImported) {
      throw new SseError(
        'NOT_CONFIGURED',
        '@SseChannel() needs SseModule, and the module of its controller does not have it. Call ' +
          'SseModule.forRoot() once, in the imports of the root module; with `isGlobal: false`, ' +
          `import it in each module that has endpoints.${remarkOnCopies()}`,
      );
    }
    this.controllers = new Controllers(moduleRef);
  }

  intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const surrounded = surroundedRequest(context.switchToHttp().getRequest<object>());
    return surrounded ? this.answerWithin(surrounded, context, next) : this.answer(context, next);
  }

  private async answer(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const route = routeOf(context.getHandler())!;
    const request = new StreamRequest(context, route, this.settings, this.delivery);
    try {
      const source = await this.respond(request, context, next);
      if (source) {
        request.writer.subscribe(source);
        await request.streamHandler();
      }
    } catch (error) {
      rethrow(error);
    } finally {
      request.dismiss();
    }
    // Interceptors that the application has added after its start see the stream begin and end.
    return this.others.isSurrounded(context) ? this.untilClosed(request) : of(undefined);
  }

  /** Answers a request inside our outermost interceptor, which waits for the answer. */
  private async answerWithin(
    surrounded: SurroundedRequest,
    context: ExecutionContext,
    next: CallHandler,
  ): Promise<Observable<unknown>> {
    surrounded.isReached = true;
    const { request } = surrounded;
    try {
      // An interceptor may call the handler again after it has failed.
      const source = request.events
        ? ((await this.callHandler(request, request.events, next)) ?? EMPTY)
        : await this.respond(request, context, next);
      if (source) {
        surrounded.streamHandler();
        return guarded(source, {
          guard: this.delivery.guard,
          what: `the stream of ${request.route.where}`,
          fail: (thrown) => request.writer.error(thrown),
        });
      }
    } catch (error) {
      rethrow(error);
    }
    surrounded.noteAnswered();
    // The interceptors around a stream of channels see it begin and end.
    return this.untilClosed(request);
  }

  /** Answers a request, or returns the Observable of its handler for the caller to stream. */
  private async respond(
    request: StreamRequest,
    context: ExecutionContext,
    next: CallHandler,
  ): Promise<Observable<unknown> | undefined> {
    const { exchange, route } = request;
    if (exchange.isHead) {
      await exchange.answer();
      return undefined;
    }
    if (route.hasFunctions) {
      const { controllers } = this;
      request.controller = controllers.ofAll(context) ?? (await controllers.ofOne(context));
    }
    if (!(await request.admit())) {
      return undefined;
    }
    const pause = this.delivery.openings.enter();
    if (pause) {
      await exchange.whileHere(pause);
    }
    const asked = this.channels.of(route, request);
    const requested = isPromise(asked)
      ? await exchange.whileHere(asked, this.lateFailure(`The resolver of ${route.where}`))
      : asked;
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
      if (!(await request.subscribe(channels, start, set))) {
        return undefined;
      }
      const source = await this.callHandler(request, request.events!, next);
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
          'The handler returned nothing, and its @SseChannel() names no channel. ' +
            'Name one, or return an Observable.',
        );
      }
      // A handler may choose other channels than those of the route.
      if (!source || (await request.subscribe(source.requests, source.lastEventId))) {
        isStreamed = await request.streamChannels();
      }
      return undefined;
    } finally {
      if (!isStreamed) {
        request.leaveChannels();
      }
    }
  }

  /** Calls the handler; `undefined` when it returns nothing. */
  private async callHandler(
    request: StreamRequest,
    events: HandlerEvents,
    next: CallHandler,
  ): Promise<Observable<unknown> | undefined> {
    const { exchange, route, writer } = request;
    const call = (): Promise<HandlerResult> =>
      exchange.whileHere(
        lastValueFrom(next.handle()) as Promise<HandlerResult>,
        this.lateFailure(route.where),
      );
    if (route.hasCustomParams) {
      exchange.provideSignal();
    }
    const result = await (route.hasCustomParams
      ? withParams(exchange.request, events.events$, request.requested, call)
      : call());
    const source = streamOf(result, writer, this.delivery.guard);
    request.snapshots?.callOn(result.controller);
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
      const isAbort = (error as Partial<Error> | null | undefined)?.name === 'AbortError';
      if (!isAbort && !(error instanceof HttpException) && !(error instanceof RequestGone)) {
        this.delivery.guard.report(`${what}, whose client had left,`, error);
      }
    };
  }

  /** Emits once the stream is over; ends the stream when its subscriber leaves. */
  private untilClosed({ exchange, route }: StreamRequest): Observable<unknown> {
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
function rethrow(error: unknown): void {
  if (error instanceof RequestGone) {
    return;
  }
  throw error instanceof SseError && error.code === 'INVALID_CHANNEL'
    ? new BadRequestException(error.message, { cause: error })
    : error;
}
