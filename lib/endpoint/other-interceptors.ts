import { Injectable, type ExecutionContext } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig } from '@nestjs/core';

/** Knows whether an endpoint has interceptors beside ours. */
@Injectable()
export class OtherInterceptors {
  /** By class and handler: classes that inherit a handler may have interceptors of their own. */
  private readonly known = new WeakMap<object, WeakMap<object, boolean>>();

  constructor(private readonly config: ApplicationConfig) {}

  /** Whether another interceptor surrounds the handler. */
  surround(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    const controller = context.getClass();
    let known = this.known.get(controller);
    if (!known) {
      this.known.set(controller, (known = new WeakMap()));
    }
    let result = known.get(handler);
    if (result === undefined) {
      result = this.areAround(controller, handler);
      known.set(handler, result);
    }
    return result;
  }

  private areAround(controller: object, handler: object): boolean {
    return (
      count(handler) > 1 ||
      count(controller) > 0 ||
      this.config.getGlobalInterceptors().length > 0 ||
      this.config.getGlobalRequestInterceptors().length > 0
    );
  }
}

function count(target: object): number {
  return ((Reflect.getMetadata(INTERCEPTORS_METADATA, target) as unknown[]) ?? []).length;
}
