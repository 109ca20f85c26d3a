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
  return given === header ? textOfHeader(given) : given;
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Node reads each byte of a header as one character. Browsers send UTF-8; clients that are built
 * on `fetch` or on Node send latin1, which is hardly ever valid UTF-8 as well.
 */
function textOfHeader(header: string): string {
  try {
    return UTF_8.decode(Buffer.from(header, 'latin1'));
  } catch {
    return header;
  }
}
