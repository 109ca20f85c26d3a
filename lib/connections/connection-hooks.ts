import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { SseError } from '../channel/sse-error.js';
import { Delivery } from '../delivery/delivery.js';
import { Presence } from '../presence/presence.js';
import { sseLog } from '../setup/sse-log.js';
import { ConnectionHook } from './connection-hook.js';
import { hookMarksOf, type HookMark } from './connection-hooks.decorators.js';

type Methods = Record<string, (event: unknown) => unknown>;

interface FoundMark {
  readonly name: string;
  /** The class and method, for messages. */
  readonly where: string;
  readonly mark: HookMark;
}

/** Finds the methods with `@OnSseConnect()` and its like, and calls them. */
@Injectable()
export class ConnectionHooks implements OnModuleInit, OnApplicationShutdown {
  private readonly hooks: ConnectionHook[] = [];
  /** Two tokens may stand for one object. */
  private readonly seen = new Set<object>();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly delivery: Delivery,
    private readonly presence: Presence,
  ) {}

  /** @throws SseError `INVALID_OPTION` for a method of a class that is made for each request */
  onModuleInit(): void {
    const { discovery, delivery, presence } = this;
    for (const wrapper of [...discovery.getProviders(), ...discovery.getControllers()]) {
      if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
        this.findIn(wrapper.instance as unknown);
      } else {
        this.refuseIn(wrapper);
      }
    }
    for (const hook of this.hooks) {
      delivery.connections.events.listen(hook.tell);
      presence.listen(hook.tell);
    }
  }

  onApplicationShutdown(): void {
    this.hooks.forEach((hook) => hook.stop());
  }

  private findIn(instance: unknown): void {
    if (typeof instance !== 'object' || instance === null || this.seen.has(instance)) {
      return;
    }
    this.seen.add(instance);
    const services = { guard: this.delivery.guard, log: sseLog };
    for (const { name, where, mark } of this.marksOf(Object.getPrototypeOf(instance))) {
      const call = (event: unknown) => (instance as Methods)[name]!(event);
      this.hooks.push(new ConnectionHook(where, mark, call, services));
    }
  }

  private refuseIn({ metatype }: InstanceWrapper): void {
    const [hook] = this.marksOf(metatype?.prototype);
    if (hook) {
      throw new SseError(
        'INVALID_OPTION',
        `${hook.where} is called when connections open or close, and its class is not one object for ` +
          'all requests. Provide it with the default scope.',
      );
    }
  }

  private *marksOf(prototype: Methods | null | undefined): Iterable<FoundMark> {
    if (!prototype) {
      return;
    }
    for (const name of this.scanner.getAllMethodNames(prototype)) {
      for (const mark of hookMarksOf(prototype[name]!)) {
        yield { name, where: `${prototype.constructor.name}.${name}`, mark };
      }
    }
  }
}
