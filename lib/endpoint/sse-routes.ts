import {
  HttpStatus,
  Injectable,
  RequestMethod,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import {
  HTTP_CODE_METADATA,
  INTERCEPTORS_METADATA,
  METHOD_METADATA,
  RESPONSE_PASSTHROUGH_METADATA,
  ROUTE_ARGS_METADATA,
  SSE_METADATA,
} from '@nestjs/common/constants.js';
import {
  ApplicationConfig,
  DiscoveryService,
  MetadataScanner,
  ModulesContainer,
} from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { SseError } from '../channel/sse-error.js';
import { sseLog } from '../setup/sse-log.js';
import type { Endpoint } from './other-interceptors.js';
import { routeOf, type Route } from './route.js';
import {
  checkDecorators,
  checkEvents,
  checkPlaceholders,
  overriddenEndpoint,
} from './route-checks.js';
import { RouteChannels } from './route-channels.js';
import { SseChannelInterceptor } from './sse-channel.interceptor.js';
import { guardsOf, takesTicket, unknownChannels } from './sse-ticket.guard.js';

/** `RouteParamtypes.RESPONSE`: a parameter that takes the response. */
const RESPONSE_PARAM = 1;

/** An endpoint of a controller. */
export interface FoundRoute {
  readonly route: Route;
  readonly controller: InstanceWrapper;
  readonly handler: object;
  /** The name of the handler's method. */
  readonly name: string;
}

/**
 * Prepares the application's `@SseChannel()` endpoints before Nest's router reads them.
 *
 * For every open `@Sse()` request Nest keeps a stream, an abort controller, a timer and a chain of
 * promises, about 11 KB. We write the response ourselves and need none of it. So the route becomes
 * one whose handler takes the response, as with `@Res()`: Nest still runs guards, interceptors,
 * pipes and filters, and keeps nothing afterwards.
 */
@Injectable()
export class SseRoutes implements OnModuleInit {
  readonly found: FoundRoute[] = [];

  constructor(
    discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
    private readonly channels: RouteChannels,
  ) {
    for (const controller of discovery.getControllers()) {
      if (typeof controller.metatype === 'function' && controller.metatype.prototype) {
        this.prepareController(controller);
      }
    }
  }

  /** All endpoints of the application, once for every controller that has or inherits one. */
  get endpoints(): readonly Endpoint[] {
    return this.found.map(({ controller, handler }) => ({
      controller: controller.metatype as Type,
      handler,
    }));
  }

  /**
   * Checks placeholders, sources and guards, now that all parts of the paths and all providers are there.
   */
  onModuleInit(): void {
    for (const { route, controller, handler } of this.found) {
      checkPlaceholders(route, controller.metatype as Type, handler, {
        globalPrefix: this.config.getGlobalPrefix(),
        applicationId: this.modules.applicationId,
        module: controller.host?.metatype,
      });
      this.checkSource(route, handler);
      const guards = [...guardsOf(handler), ...guardsOf(controller.metatype as Type)];
      if (route.channels === undefined && guards.some(takesTicket)) {
        throw unknownChannels(route.where);
      }
    }
  }

  private checkSource({ where }: Route, handler: object): void {
    try {
      this.channels.check(routeOf(handler)!);
    } catch (error) {
      throw error instanceof SseError
        ? new SseError(error.code, `@SseChannel() on ${where}: ${error.message}`)
        : error;
    }
  }

  private prepareController(controller: InstanceWrapper): void {
    const metatype = controller.metatype as Type;
    const prototype = metatype.prototype as Record<string, object>;
    for (const name of this.scanner.getAllMethodNames(prototype)) {
      const handler = prototype[name]!;
      const route = routeOf(handler);
      const where = `${metatype.name}.${name}`;
      checkEvents(metatype, name, where);
      if (route) {
        checkDecorators(handler, where);
        prepareHandler(handler, where);
        takeResponse(metatype, name);
        this.found.push({ route: { ...route, where }, controller, handler, name });
      } else {
        warnOfOverriding(metatype, name, where);
      }
    }
  }
}

function warnOfOverriding(controller: Type, name: string, where: string): void {
  const parent = overriddenEndpoint(controller, name);
  if (parent) {
    sseLog.warn(
      `${where} overrides ${parent.name}.${name} without its @SseChannel(), and streams no channel. ` +
        'Repeat @Sse() and @SseChannel() on it, or give it another name.',
    );
  }
}

const prepared = new WeakSet<object>();

function prepareHandler(handler: object, where: string): void {
  if (prepared.has(handler)) {
    return;
  }
  if (!Reflect.getMetadata(SSE_METADATA, handler)) {
    throw new SseError(
      'INVALID_OPTION',
      `${where} has @SseChannel() and no @Sse(). Add it: @Sse('path') names the route.`,
    );
  }
  prepared.add(handler);
  Reflect.deleteMetadata(SSE_METADATA, handler);
  innermost(handler);
  const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod;
  if (method !== RequestMethod.GET && !Reflect.hasMetadata(HTTP_CODE_METADATA, handler)) {
    // Nest answers a POST with 201, which clients of event streams refuse.
    Reflect.defineMetadata(HTTP_CODE_METADATA, HttpStatus.OK, handler);
  }
}

const taken = new WeakMap<Type, Set<string>>();

/**
 * Tells Nest that the handler answers by itself, by a parameter after all others. Nest keeps the
 * metadata of parameters by controller, so each controller that inherits a handler needs it.
 */
function takeResponse(controller: Type, name: string): void {
  const names = taken.get(controller) ?? new Set();
  if (names.has(name)) {
    return;
  }
  taken.set(controller, names.add(name));
  // With `@Res({ passthrough: true })` Nest would answer once more after the stream.
  Reflect.defineMetadata(RESPONSE_PASSTHROUGH_METADATA, false, controller, name);
  const params = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) ?? {}) as Record<
    string,
    { index: number }
  >;
  const index = Math.max(-1, ...Object.values(params).map((param) => param.index)) + 1;
  Reflect.defineMetadata(
    ROUTE_ARGS_METADATA,
    { ...params, [`${RESPONSE_PARAM}:${index}`]: { index, data: undefined, pipes: [] } },
    controller,
    name,
  );
}

/** Puts our interceptor last, wherever the decorator stands: the others surround it. */
function innermost(handler: object): void {
  const interceptors = Reflect.getMetadata(INTERCEPTORS_METADATA, handler) as unknown[];
  Reflect.defineMetadata(
    INTERCEPTORS_METADATA,
    [...interceptors.filter((each) => each !== SseChannelInterceptor), SseChannelInterceptor],
    handler,
  );
}
