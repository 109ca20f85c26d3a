import type { Delivery } from '../delivery/delivery.js';
import type { Observable } from 'rxjs';
import type { EndpointOptions } from '../setup/channel-options.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';

// oxlint-disable-next-line typescript/no-explicit-any
type AnyRequest = any;

type ChannelNames = string | readonly string[];

/**
 * Finds the channels of a request. Its errors reach the exception filters. With an Observable the set
 * changes while the stream is open. `this` is the controller.
 */
export type ChannelResolver<Request = AnyRequest> = (
  request: Request,
) => ChannelNames | Observable<ChannelNames> | Promise<ChannelNames | Observable<ChannelNames>>;

/** The arguments of a handler's `@SseChannel()`, and facts about the handler. */
export interface Route {
  /** The class and method, for messages. */
  readonly where: string;
  /** A name or template, a resolver, or nothing for a handler that brings its own stream. */
  readonly channels: string | ChannelResolver | undefined;
  readonly options: EndpointOptions;
  /** The types of the events, if the channels have a definition. */
  readonly definition: ChannelDefinition | undefined;
  /** Whether the handler has parameters by custom decorators, `@SseSignal()` among them. */
  readonly hasCustomParams: boolean;
  /** Whether there are functions that are called before the handler, with the controller as `this`. */
  readonly hasFunctions: boolean;
  /** Whether interceptors do not see what the handler's stream emits: it is the package's own. */
  readonly isBare?: boolean;
}

/** Metadata, since decorators that wrap a handler copy it. */
const ROUTE_METADATA = 'sse:route';

export function setRoute(handler: object, route: Route): void {
  Reflect.defineMetadata(ROUTE_METADATA, route, handler);
}

/** Keeps the application's interceptors from what an endpoint of the package emits. */
export function makeBare(handler: object): void {
  setRoute(handler, { ...routeOf(handler)!, isBare: true });
}

/**
 * What an endpoint shares among its streams, made for the first: a route is known to the whole
 * process, and may serve several applications.
 */
export function sharedByStreams<T>(
  make: (route: Route, delivery: Delivery) => T,
): (route: Route, delivery: Delivery) => T {
  const known = new WeakMap<Delivery, WeakMap<Route, T>>();
  return (route, delivery) => {
    let ofDelivery = known.get(delivery);
    if (!ofDelivery) {
      known.set(delivery, (ofDelivery = new WeakMap()));
    }
    let shared = ofDelivery.get(route);
    if (shared === undefined) {
      ofDelivery.set(route, (shared = make(route, delivery)));
    }
    return shared;
  };
}

/** The route of a handler with `@SseChannel()`. */
export function routeOf(handler: object): Route | undefined {
  return Reflect.getMetadata(ROUTE_METADATA, handler) as Route | undefined;
}
