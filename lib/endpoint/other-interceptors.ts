import { Injectable, type ExecutionContext } from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig } from '@nestjs/core';

/** Knows whether an endpoint has interceptors beside ours. */
@Injectable()
export class OtherInterceptors {
  private readonly known = new WeakMap<object, boolean>();

  constructor(private readonly config: ApplicationConfig) {}

  /** Whether another interceptor surrounds the handler. */
  surround(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    let result = this.known.get(handler);
    if (result === undefined) {
      result =
        count(handler) > 1 ||
        count(context.getClass()) > 0 ||
        this.config.getGlobalInterceptors().length > 0 ||
        this.config.getGlobalRequestInterceptors().length > 0;
      this.known.set(handler, result);
    }
    return result;
  }
}

function count(target: object): number {
  return ((Reflect.getMetadata(INTERCEPTORS_METADATA, target) as unknown[]) ?? []).length;
}
