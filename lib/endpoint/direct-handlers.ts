import { Injectable, type Type } from '@nestjs/common';
import { INTERCEPTORS_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { Observable } from 'rxjs';
import type { AnyResponse } from './exchange.js';
import type { FrameworkRequest } from './framework-request.js';
import type { HandlerResult } from './handler-result.js';
import { OtherInterceptors, type Endpoint } from './other-interceptors.js';
import { routeOf } from './route.js';
import { SseRoutes, type FoundRoute } from './sse-routes.js';
import { StreamAnswers } from './stream-answers.js';

type Handler = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Answers requests in the handler itself, without `SseChannelInterceptor`, where nothing can tell the
 * difference: the endpoint has no other interceptors, its handler has no parameters, whose pipes would have to
 * run after ours, and one controller serves all requests.
 *
 * For an interceptor Nest makes a dozen Observables, subscribers and promises for each request, which is a fifth
 * of what it costs to open a stream.
 */
@Injectable()
export class DirectHandlers {
  constructor(
    private readonly answers: StreamAnswers,
    private readonly others: OtherInterceptors,
    private readonly routes: SseRoutes,
  ) {}

  /**
   * To be called when all global interceptors are there, and before the router reads the handlers. It reads those
   * of the instance, so that ours are of one application, although classes are shared by all.
   */
  install(): void {
    for (const found of this.routes.found) {
      const { controller, handler, name } = found;
      const type = controller.metatype as Type;
      if (isPlain(found) && !this.others.areAround({ controller: type, handler })) {
        const instance = controller.instance as object;
        const value = this.directly(handler as Handler, instance, type);
        Object.defineProperty(instance, name, { value, writable: true, configurable: true });
      }
    }
  }

  private directly(original: Handler, instance: object, controller: Type): Handler {
    const route = routeOf(original)!;
    const handler: Handler = function (this: unknown, ...args) {
      const [response] = args;
      return this === instance && isResponse(response)
        ? answer(response)
        : original.apply(this, args);
    };
    const call = (response: AnyResponse) => original.call(instance, response) as HandlerResult;
    const endpoint: Endpoint = { controller, handler };
    const answer = async (response: AnyResponse): Promise<Observable<unknown> | undefined> => {
      // Node has called us in the middle of the request. By the next microtask it has read as much as has come.
      await undefined;
      const request = this.answers.requestFor(
        { request: requestOf(response), response },
        route,
        instance,
      );
      await this.answers.answer(request, () => call(response));
      // Interceptors that the application has added after its start see the stream begin and end.
      return this.others.surround(endpoint) ? this.answers.untilClosed(request) : undefined;
    };
    Object.defineProperty(handler, 'name', { value: original.name });
    for (const key of Reflect.getMetadataKeys(original)) {
      if (key !== INTERCEPTORS_METADATA) {
        Reflect.defineMetadata(key, Reflect.getMetadata(key, original), handler);
      }
    }
    return handler;
  }
}

/** Whether one object, as its class has made it, answers all requests, by a handler without parameters. */
function isPlain({ controller, name }: FoundRoute): boolean {
  const instance = controller.instance as object;
  // The parameter that we have added takes the response.
  const params = Reflect.getMetadata(
    ROUTE_ARGS_METADATA,
    controller.metatype as Type,
    name,
  ) as object;
  return (
    Object.keys(params).length === 1 &&
    controller.isDependencyTreeStatic() &&
    // A decorator may have put another class in place of the one that Nest knows.
    instance.constructor === controller.metatype &&
    Object.isExtensible(instance) &&
    !Object.hasOwn(instance, name)
  );
}

function isResponse(value: unknown): value is AnyResponse {
  return typeof value === 'object' && value !== null && ('raw' in value || 'req' in value);
}

/** The request that Express and Fastify keep with a response. */
function requestOf(response: AnyResponse): FrameworkRequest {
  return ('raw' in response ? response.request : response.req) as FrameworkRequest;
}
