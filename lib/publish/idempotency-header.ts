import type { IncomingHttpHeaders } from 'node:http';
import type { EventToPublish } from './publish.options.js';
import { checkKey, invalid } from './published-events.js';

const NAME = 'Idempotency-Key';

/** A string of Structured Fields: https://www.rfc-editor.org/rfc/rfc9651#section-3.3.3 */
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;

/**
 * The key in the header of a request. It may stand in quotes, as the draft of the header has it, or as it is.
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 *
 * @throws SseError `INVALID_EVENT`
 */
export function keyOfHeaders(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['idempotency-key'];
  if (given === undefined) {
    return undefined;
  }
  const text = String(given);
  const key = QUOTED.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1') ?? text;
  checkKey(key, `The header \`${NAME}\``);
  return key;
}

/**
 * The event with the key of the request's header: of a list each event has a key of its own, by its place.
 * @param nth the event's place in a list; `undefined` for the only one
 * @throws SseError `INVALID_EVENT`
 */
export function withKey(
  event: EventToPublish,
  key: string | undefined,
  nth: number | undefined,
): EventToPublish {
  if (key === undefined) {
    return event;
  }
  if (event.idempotencyKey !== undefined) {
    if (nth === undefined && event.idempotencyKey !== key) {
      throw invalid(
        `The event has one key in \`idempotencyKey\` and another in the header \`${NAME}\`. Give one of them.`,
      );
    }
    return event;
  }
  const idempotencyKey = nth === undefined ? key : `${key}:${nth}`;
  checkKey(idempotencyKey, `The header \`${NAME}\`, with the place of the event,`);
  return { ...event, idempotencyKey };
}
