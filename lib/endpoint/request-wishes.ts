import { BadRequestException } from '@nestjs/common';
import { hasShortPositions } from '../channel/composite-id.js';
import { kindOf, shown } from '../channel/shown.js';
import { EARLIEST } from '../channel/start-position.js';
import { mayBePosition, NO_POSITION } from '../delivery/resume-positions.js';
import type { FrameworkRequest } from './framework-request.js';

/** What a request asks for that names its channels. */
export interface Wishes {
  /** The names as they were given. */
  readonly names: readonly string[];
  /** Whether each event's id is to be the position in its own channel only. */
  readonly hasOwnIds: boolean;
  /** The client's position, if it is in the body. */
  readonly lastEventId: string | undefined;
  /** Where to begin in some of the channels, by their names. */
  readonly from: ReadonlyMap<string, string>;
}

/** Methods whose requests have no body that counts. */
const WITHOUT_BODY = new Set(['GET', 'HEAD']);

/**
 * Reads what a request asks for: of a GET from its query, else from its body.
 *
 * @param idLength the most characters of a position in one channel
 * @throws HttpException 400 that names the value
 */
export function readWishes(request: FrameworkRequest, idLength: number): Wishes {
  return WITHOUT_BODY.has(request.method ?? 'GET')
    ? ofQuery(queryOf(request), idLength)
    : ofBody(request.body, idLength);
}

function ofQuery(query: URLSearchParams, idLength: number): Wishes {
  const starts = query.getAll('from').map((start): [string, string] => {
    // A position has no comma.
    const comma = start.indexOf(',');
    if (comma < 0) {
      throw wrong('`from`', start, '<position>,<channel>');
    }
    return [start.slice(comma + 1), positionIn(start.slice(0, comma), idLength)];
  });
  return {
    names: query.getAll('channel'),
    hasOwnIds: hasOwnIds(query.get('ids') ?? undefined),
    lastEventId: undefined,
    from: new Map([
      ...starts,
      ...query.getAll('earliest').map((name): [string, string] => [name, EARLIEST]),
    ]),
  };
}

/** The query as it was sent: frameworks differ in what they make of a name that is there 100 times. */
function queryOf({ url = '' }: FrameworkRequest): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : url.slice(start));
}

function ofBody(body: unknown, idLength: number): Wishes {
  if (!isRecord(body)) {
    throw wrong(
      'body',
      body,
      'JSON such as {"channels":["news"]}, with content-type: application/json',
    );
  }
  const { channels, ids, lastEventId, from = {} } = body;
  if (!Array.isArray(channels)) {
    throw wrong('`channels`', channels, 'an array of names');
  }
  if (lastEventId !== undefined && typeof lastEventId !== 'string') {
    throw wrong('`lastEventId`', lastEventId, 'a string');
  }
  if (!isRecord(from)) {
    throw wrong('`from`', from, 'an object of positions by channel');
  }
  return {
    names: channels.map((name) => textIn('`channels`', name)),
    hasOwnIds: hasOwnIds(ids),
    lastEventId: lastEventId && startIn(lastEventId, idLength),
    from: new Map(
      Object.entries(from).map(([name, position]) => [name, positionIn(position, idLength)]),
    ),
  };
}

/**
 * The position in a body. It grows with the number of channels and is as long as the body may be; each part
 * is as long as that of one channel may be.
 */
function startIn(lastEventId: string, idLength: number): string {
  return hasShortPositions(lastEventId, idLength) ? lastEventId : NO_POSITION;
}

function positionIn(position: unknown, idLength: number): string {
  const text = textIn('`from`', position);
  if (!mayBePosition(text) || text.length > idLength) {
    throw new BadRequestException(
      `The \`from\` of this request has ${shown(text)} in it, which is no position of a channel. Give ` +
        `"earliest", or a position that the server has told.`,
    );
  }
  return text;
}

function hasOwnIds(ids: unknown): boolean {
  if (ids !== undefined && ids !== 'channel') {
    throw wrong('`ids`', ids, '"channel", or left out');
  }
  return ids !== undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textIn(what: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') {
    throw new BadRequestException(
      `The ${what} of this request has ${value === '' ? 'an empty text' : shown(value)} in it; give text.`,
    );
  }
  return value;
}

function wrong(what: string, value: unknown, allowed: string): BadRequestException {
  const given = typeof value === 'string' ? shown(value) : kindOf(value);
  return new BadRequestException(`The ${what} of this request is ${given}; it must be ${allowed}.`);
}
