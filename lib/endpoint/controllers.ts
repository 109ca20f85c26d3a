import type { ExecutionContext, Type } from '@nestjs/common';
import { ContextIdFactory, type ModuleRef } from '@nestjs/core';

/** Finds the controllers of one module's endpoints, before Nest calls their handlers. */
export class Controllers {
  private readonly known = new Map<Type, object | undefined>();

  /** @param moduleRef of the module that has the controllers */
  constructor(private readonly moduleRef: ModuleRef) {}

  /** The object whose method answers a request, if it answers all requests. */
  ofAll(context: ExecutionContext): object | undefined {
    const type = context.getClass<object>();
    if (!this.known.has(type)) {
      this.known.set(type, this.find(type));
    }
    return this.known.get(type);
  }

  /**
   * The object that Nest has made for this request, before its guards ran. `undefined` for a controller that
   * Nest does not know by its class, as when a decorator has replaced the class.
   */
  async ofOne(context: ExecutionContext): Promise<object | undefined> {
    const contextId = ContextIdFactory.getByRequest(context.switchToHttp().getRequest<object>());
    return this.moduleRef
      .resolve<object>(context.getClass(), contextId, { strict: true })
      .catch(() => undefined);
  }

  private find(type: Type): object | undefined {
    try {
      return this.moduleRef.get<object>(type, { strict: true });
    } catch {
      return undefined;
    }
  }
}
