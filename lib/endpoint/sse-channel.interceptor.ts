import {
  Inject,
  Injectable,
  Optional,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { EMPTY, lastValueFrom, of, type Observable } from 'rxjs';
import { SseError } from '../channel/sse-error.js';
import { guarded } from '../delivery/guarded-observable.js';
import { remarkOnCopies } from '../setup/copies.js';
import { SSE_IS_IMPORTED } from '../setup/settings.js';
import { Controllers } from './controllers.js';
import type { HandlerResult } from './handler-result.js';
import { OtherInterceptors } from './other-interceptors.js';
import { routeOf } from './route.js';
import { rethrow, StreamAnswers, type Call } from './stream-answers.js';
import type { StreamRequest } from './stream-request.js';
import { surroundedRequest, type SurroundedRequest } from './surrounded-request.js';

/**
 * Turns a request to an `@SseChannel()` endpoint into a stream. It runs innermost, after guards and
 * all other interceptors. `DirectHandlers` does so without it, where nothing needs it.
 */
@Injectable()
export class SseChannelInterceptor implements NestInterceptor {
  /** Of the module of this interceptor: Nest makes one for each module that has endpoints. */
  private readonly controllers: Controllers;

  // Optional for Nest, so that our error can say what is missing. They are missing as well when the
  // module fails to start; Nest then reports that failure.
  constructor(
    @Optional() private readonly answers: StreamAnswers,
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
    const request = this.answers.requestOf(context, routeOf(context.getHandler())!);
    if (request.route.hasFunctions) {
      await this.findController(request, context);
    }
    await this.answers.answer(request, callOf(next));
    // Interceptors that the application has added after its start see the stream begin and end.
    return this.others.isSurrounded(context) ? this.answers.untilClosed(request) : of(undefined);
  }

  /** Answers a request inside our outermost interceptor, which waits for the answer. */
  private async answerWithin(
    surrounded: SurroundedRequest,
    context: ExecutionContext,
    next: CallHandler,
  ): Promise<Observable<unknown>> {
    surrounded.isReached = true;
    const { answers } = this;
    const { request } = surrounded;
    try {
      // An interceptor may call the handler again after it has failed.
      const source = request.hasChannels
        ? ((await answers.callHandler(request, callOf(next))) ?? EMPTY)
        : await this.respond(request, context, next);
      if (source && request.route.isBare) {
        request.writer.subscribe(source);
        await request.streamHandler();
      } else if (source) {
        surrounded.streamHandler();
        return guarded(source, {
          guard: answers.delivery.guard,
          what: `the stream of ${request.route.where}`,
          fail: (thrown) => request.writer.error(thrown),
        });
      }
    } catch (error) {
      rethrow(error);
    }
    surrounded.noteAnswered();
    // The interceptors around a stream of channels see it begin and end.
    return answers.untilClosed(request);
  }

  private async respond(
    request: StreamRequest,
    context: ExecutionContext,
    next: CallHandler,
  ): Promise<Observable<unknown> | undefined> {
    if (request.route.hasFunctions) {
      await this.findController(request, context);
    }
    return this.answers.respond(request, callOf(next));
  }

  /** Finds the controller for the functions of the endpoint. */
  private async findController(request: StreamRequest, context: ExecutionContext): Promise<void> {
    const { controllers } = this;
    if (!request.exchange.isHead) {
      request.controller = controllers.ofAll(context) ?? (await controllers.ofOne(context));
    }
  }
}

function callOf(next: CallHandler): Call {
  return () => lastValueFrom(next.handle()) as Promise<HandlerResult>;
}
