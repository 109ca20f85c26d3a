import type { IncomingHttpHeaders } from 'node:http';

/** The parts of a request that a Last-Event-ID can be in. */
interface RequestParts {
  readonly headers: IncomingHttpHeaders;
  readonly query?: unknown;
}

/**
 * The position a client returns with: the `Last-Event-ID` header, which an EventSource
 * sends by itself, or `?lastEventId=` for clients that cannot set it. The header wins.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header
 */
export function lastEventIdOf({ headers, query }: RequestParts): string | undefined {
  const header = headers['last-event-id'];
  const given =
    (Array.isArray(header) ? header[0] : header) ||
    (query as Record<string, unknown> | undefined)?.['lastEventId'];
  if (typeof given !== 'string' || given === '') {
    return undefined;
  }
  // Headers are bytes to Node, and EventSource sends UTF-8.
  return given === header ? Buffer.from(given, 'latin1').toString('utf8') : given;
}
