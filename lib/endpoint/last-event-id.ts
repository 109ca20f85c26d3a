import type { IncomingHttpHeaders } from 'node:http';
import { labelledPosition, labelOf, parseCompositeId } from '../channel/composite-id.js';
import { NO_POSITION } from '../delivery/resume-positions.js';
import type { GrantedChannels } from './granted-channels.js';

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
  if (typeof header === 'string' && header !== '') {
    return textOfHeader(header);
  }
  const given = (query as Record<string, unknown> | undefined)?.['lastEventId'];
  if (given === undefined || given === '') {
    return undefined;
  }
  // If it was given more than once, it is a list, and we cannot know which one counts.
  return typeof given === 'string' ? given : NO_POSITION;
}

/** The same, but an id that is too long to be a position counts as unknown. */
export function startOf(request: RequestParts, maxLength: number): string | undefined {
  const id = lastEventIdOf(request);
  return id !== undefined && id.length > maxLength ? NO_POSITION : id;
}

/**
 * The position for a handler: where a client begins that has named its channels by itself, in the body
 * or beside their names, as one id; else the same as above.
 */
export function ownPositionOf(
  request: RequestParts,
  { isOwnChoice, start, from }: GrantedChannels,
): string | undefined {
  const id = (isOwnChoice && start) || lastEventIdOf(request);
  if (!from?.size) {
    return id;
  }
  const positions = (id && parseCompositeId(id)) || new Map<string, string>();
  from.forEach((position, name) => positions.set(labelOf(name), position));
  return [...positions].map((place) => labelledPosition(...place)).join(',');
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Node reads each byte of a header as one character. Browsers send UTF-8. Clients that use `fetch`
 * or Node send latin1, which is hardly ever valid UTF-8 by chance.
 */
function textOfHeader(header: string): string {
  try {
    return UTF_8.decode(Buffer.from(header, 'latin1'));
  } catch {
    return header;
  }
}
