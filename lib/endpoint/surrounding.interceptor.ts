import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { of, type Observable } from 'rxjs';
import { sseLog } from '../setup/sse-log.js';
import { RequestGone } from './stay.js';
import { OtherInterceptors } from './other-interceptors.js';
import { routeOf, type Route } from './route.js';
import { SseRoutes } from './sse-routes.js';
import { StreamAnswers } from './stream-answers.js';
import { SurroundedRequest } from './surrounded-request.js';

/**
 * The outermost interceptor of an application with interceptors around its endpoints. It subscribes
 * to their result, as Nest does with plain `@Sse()`, so that they see what a handler's Observable
 * emits.
 */
@Injectable()
export class SurroundingInterceptor implements NestInterceptor {
  /** Endpoints in whose place an interceptor has answered. */
  private readonly warned = new WeakSet<Route>();

  constructor(
    private readonly answers: StreamAnswers,
    private readonly others: OtherInterceptors,
    private readonly routes: SseRoutes,
  ) {}

  /** Puts this interceptor around all others, if an endpoint has any. */
  install(): void {
    this.others.surroundBy(this, this.routes.endpoints);
  }

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const route = routeOf(context.getHandler());
    return route && this.others.isSurrounded(context)
      ? this.stream(context, route, next)
      : next.handle();
  }

  private async stream(
    context: ExecutionContext,
    route: Route,
    next: CallHandler,
  ): Promise<Observable<unknown>> {
    const { guard } = this.answers.delivery;
    const request = this.answers.requestOf(context, route);
    try {
      if (request.meet()) {
        const surrounded = new SurroundedRequest(request, guard);
        await request.exchange.whileHere(surrounded.follow(next.handle()));
        if (surrounded.isReplaced) {
          this.warn(route);
        }
      }
    } catch (error) {
      request.writer.close();
      if (!(error instanceof RequestGone)) {
        throw error;
      }
    } finally {
      request.dismiss();
    }
    return of(undefined);
  }

  private warn(route: Route): void {
    if (!this.warned.has(route)) {
      this.warned.add(route);
      sseLog.warn(
        `An interceptor answered in place of ${route.where}, without next.handle(): ` +
          'clients received what it emitted, and no stream. Let an interceptor that caches skip streams.',
      );
    }
  }
}
