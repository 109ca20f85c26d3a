import { ServerResponse, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Response } from './response-writer.js';

/** The headers of every stream, whatever the application has set. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'private, no-cache, no-store, must-revalidate, max-age=0, no-transform',
  // Otherwise nginx buffers events:
  // https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
  'x-accel-buffering': 'no',
} as const;

export function writeStreamHead(
  response: Response,
  request: IncomingMessage,
  status: number,
  headers: OutgoingHttpHeaders,
  isCompressed: boolean,
): void {
  const head: OutgoingHttpHeaders = { ...withoutLength(headers), ...STREAM_HEADERS };
  if (isCompressed) {
    const vary = head['vary'] ?? response.getHeader('vary') ?? [];
    head['content-encoding'] = 'gzip';
    head['vary'] = [vary, 'accept-encoding'].flat().join(', ');
  }
  if (response instanceof ServerResponse && response.socket) {
    const { socket } = response;
    // A request that Fastify injects has a socket without these methods.
    socket.setKeepAlive?.(true);
    socket.setNoDelay?.(true);
    socket.setTimeout?.(0);
  }
  write(response, request, status, head);
}

/** Writes the head of an answer that is no stream. */
export function writePlainHead(
  response: Response,
  request: IncomingMessage,
  status: number,
  headers: OutgoingHttpHeaders,
): void {
  write(response, request, status, withoutLength(headers));
}

function write(
  response: Response,
  request: IncomingMessage,
  status: number,
  head: OutgoingHttpHeaders,
): void {
  if (response instanceof ServerResponse) {
    head['connection'] = staysOpen(response, request, head) ? 'keep-alive' : 'close';
    response.writeHead(status, head);
  } else {
    // Hop by hop, and forbidden in HTTP/2: https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2
    delete head['connection'];
    response.writeHead(status, head);
  }
}

/** A member that Node's types leave out. */
interface LimitedResponse extends ServerResponse {
  readonly maxRequestsOnConnectionReached?: boolean;
}

/** Whether another request may follow on the same HTTP/1.1 connection. */
function staysOpen(
  response: ServerResponse,
  request: IncomingMessage,
  head: OutgoingHttpHeaders,
): boolean {
  const given = head['connection'] ?? response.getHeader('connection');
  return (
    // False when the client closes it: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    response.shouldKeepAlive &&
    // Node answers a request beyond `maxRequestsPerSocket` with 503.
    !(response as LimitedResponse).maxRequestsOnConnectionReached &&
    (given === undefined || !/\bclose\b/i.test(String(given))) &&
    // In HTTP/1.0 the end of the connection is the end of the answer.
    response.useChunkedEncodingByDefault &&
    // A client that still sends a body would make us wait for all of it, though nobody reads it.
    request.complete !== false
  );
}

/** The headers with their names in lower case, but for the length of a body that is not ours. */
function withoutLength(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  const head: OutgoingHttpHeaders = {};
  for (const given of Object.keys(headers)) {
    const name = given.toLowerCase();
    if (name !== 'content-length') {
      head[name] = headers[given];
    }
  }
  return head;
}
