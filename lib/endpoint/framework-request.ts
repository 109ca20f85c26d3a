import type { IncomingMessage } from 'node:http';

interface ExpressRequest extends IncomingMessage {
  query?: unknown;
  /** What a body parser has made of the body. */
  readonly body?: unknown;
  /** The client's address, as the framework's trust-proxy setting determines it. */
  readonly ip?: string;
  params?: Record<string, string>;
  /** The parameters of the route's host, which Nest keeps here. */
  hosts?: Record<string, string>;
  next?: unknown;
}

/** A request of Express or Fastify. */
export type FrameworkRequest = ExpressRequest & { readonly raw?: IncomingMessage };

/** Whether a request comes from Fastify's inject(), and so has no socket. */
export function isInjected(request: IncomingMessage): boolean {
  // `isLightMyRequest`, which says the same, is not in every version of Fastify 5.
  return '_lightMyRequest' in request;
}
