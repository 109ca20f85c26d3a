import type { EndpointOptions } from '../setup/channel-options.js';

// oxlint-disable-next-line typescript/no-explicit-any
type AnyRequest = any;

/** Finds the channels of a request. Its errors reach the exception filters. */
export type ChannelResolver<Request = AnyRequest> = (
  request: Request,
) => string | readonly string[] | Promise<string | readonly string[]>;

/** The arguments of a handler's `@SseChannel()`, and facts about the handler. */
export interface Route {
  /** The class and method, for messages. */
  readonly where: string;
  /** A name or template, a resolver, or nothing for a handler that brings its own stream. */
  readonly channels: string | ChannelResolver | undefined;
  readonly options: EndpointOptions;
  /** Whether the handler has parameters by custom decorators, `@SseSignal()` among them. */
  readonly hasCustomParams: boolean;
}

/** Metadata, since decorators that wrap a handler copy it. */
const ROUTE_METADATA = 'sse:route';

export function setRoute(handler: object, route: Route): void {
  Reflect.defineMetadata(ROUTE_METADATA, route, handler);
}

/** The route of a handler with `@SseChannel()`. */
export function routeOf(handler: object): Route | undefined {
  return Reflect.getMetadata(ROUTE_METADATA, handler) as Route | undefined;
}
