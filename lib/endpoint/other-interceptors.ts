import { Injectable, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig } from '@nestjs/core';

/** An `@SseChannel()` handler with its controller. */
export interface Endpoint {
  readonly controller: object;
  readonly handler: object;
}

/** Tells whether an endpoint has interceptors of the application. */
@Injectable()
export class OtherInterceptors {
  /** By class and handler: two classes that inherit a handler may have different interceptors. */
  private readonly known = new WeakMap<object, WeakMap<object, boolean>>();
  /** Our interceptor around all of them. */
  private outermost: NestInterceptor | undefined;

  constructor(private readonly config: ApplicationConfig) {}

  /** Puts an interceptor around all others, if one of the endpoints has any. */
  surroundBy(outermost: NestInterceptor, endpoints: readonly Endpoint[]): void {
    if (!this.outermost && endpoints.some((endpoint) => this.areAround(endpoint))) {
      this.outermost = outermost;
      this.config.getGlobalInterceptors().unshift(outermost);
    }
  }

  /** Whether an interceptor of the application surrounds the handler. */
  isSurrounded(context: ExecutionContext): boolean {
    return this.surround({ controller: context.getClass(), handler: context.getHandler() });
  }

  /** Whether an interceptor of the application surrounds an endpoint, as it was with the first request. */
  surround({ controller, handler }: Endpoint): boolean {
    let known = this.known.get(controller);
    if (!known) {
      this.known.set(controller, (known = new WeakMap()));
    }
    let result = known.get(handler);
    if (result === undefined) {
      result = this.areAround({ controller, handler });
      known.set(handler, result);
    }
    return result;
  }

  /** Whether an interceptor of the application surrounds an endpoint now. */
  areAround({ controller, handler }: Endpoint): boolean {
    return (
      count(handler) > 1 ||
      count(controller) > 0 ||
      this.config.getGlobalInterceptors().some((interceptor) => interceptor !== this.outermost) ||
      this.config.getGlobalRequestInterceptors().length > 0
    );
  }
}

function count(target: object): number {
  return ((Reflect.getMetadata(INTERCEPTORS_METADATA, target) as unknown[]) ?? []).length;
}
