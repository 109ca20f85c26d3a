import type { EndpointOptions } from '../setup/channel-options.js';

// oxlint-disable-next-line typescript/no-explicit-any
type AnyRequest = any;

/** Finds the channels of a request. What it throws reaches the exception filters. */
export type ChannelResolver<Request = AnyRequest> = (
  request: Request,
) => string | readonly string[] | Promise<string | readonly string[]>;

/** What `@SseChannel()` says of a handler. */
export interface Route {
  /** The class and method, for messages. */
  readonly where: string;
  /** A name or template, a resolver, or nothing for a handler that brings its own stream. */
  readonly channels: string | ChannelResolver | undefined;
  readonly options: EndpointOptions;
  /** Whether the handler has parameters by custom decorators, `@SseSignal()` among them. */
  readonly hasCustomParams: boolean;
}

/** Metadata, as decorators that wrap a handler carry it over. */
const ROUTE_METADATA = 'sse:route';

/** Notes what is known of a handler. */
export function setRoute(handler: object, route: Route): void {
  Reflect.defineMetadata(ROUTE_METADATA, route, handler);
}

/** What was said of a handler, if anything. */
export function routeOf(handler: object): Route | undefined {
  return Reflect.getMetadata(ROUTE_METADATA, handler) as Route | undefined;
}
