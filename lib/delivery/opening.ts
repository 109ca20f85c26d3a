import type { OutgoingHttpHeaders } from 'node:http';
import { frameOf } from './frame.js';
import type { Response } from './response-writer.js';

/**
 * How a new connection is told its position.
 *
 * - `frame`: an `id:` without data. By the standard a client keeps the id and fires nothing.
 * - `event`: an event named `sse:open`, for clients that keep the ids of events only.
 */
export type Opening = 'frame' | 'event';

/** The `type` of the event that `opening: 'event'` sends. */
export const OPEN_TYPE = 'sse:open';

/** The head that every stream has, whatever was set before. */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'private, no-cache, no-store, must-revalidate, max-age=0, no-transform',
  // nginx would otherwise collect the events:
  // https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
  'x-accel-buffering': 'no',
} as const;

/** Writes the head of a stream. */
export function writeHead(response: Response, status: number, headers: OutgoingHttpHeaders): void {
  const head: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    head[name.toLowerCase()] = value;
  }
  delete head['content-length'];
  Object.assign(head, STREAM_HEADERS);
  if (response.req.httpVersionMajor === 1) {
    // Hop by hop, and forbidden in HTTP/2: https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2
    head['connection'] = 'keep-alive';
    const { socket } = response.req;
    socket.setKeepAlive(true);
    socket.setNoDelay(true);
    socket.setTimeout(0);
  }
  (response.writeHead as (status: number, headers: OutgoingHttpHeaders) => unknown).call(
    response,
    status,
    head,
  );
}

/** The first frame of a stream: when to return, and from where. */
export function openingFrame(opening: Opening, retry: number, id: string | undefined): string {
  return opening === 'event'
    ? frameOf({ retry, id, type: OPEN_TYPE, data: '' })
    : frameOf({ retry, id });
}
