import { HttpException, HttpStatus, UnauthorizedException } from '@nestjs/common';
import { atOnce } from '../channel/at-once.js';
import { kindOf } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { MAX_CLIENT_LENGTH, type Client, type CountedAs } from '../delivery/client.js';
import { clientByTicket } from '../tickets/redeemed.js';
import type { FrameworkRequest } from './framework-request.js';

/** September 2001, in milliseconds: a smaller number was given in seconds by mistake. */
const EARLIEST_TIME = 1_000_000_000_000;

/**
 * When the permission of a request ends, in milliseconds since the epoch. An invalid answer refuses
 * the request, as all answers about access do: a mistake must let nobody in.
 *
 * @param answer what `expires` returned
 * @throws SseError `INVALID_OPTION` for an answer that is no time
 * @throws UnauthorizedException for a time that is past
 */
export function expiryOf(answer: unknown, where: string): number | undefined {
  if (answer === undefined) {
    return undefined;
  }
  const time = answer instanceof Date ? answer.getTime() : atOnce(answer);
  if (typeof time !== 'number' || !Number.isFinite(time)) {
    throw noAnswer(
      'expires',
      where,
      answer,
      'a valid Date, milliseconds since the epoch, or undefined for never',
    );
  }
  if (time < EARLIEST_TIME) {
    throw noAnswer(
      'expires',
      where,
      answer,
      answer instanceof Date
        ? 'a Date after 2001; this one looks made of seconds: new Date(1_000 * seconds)'
        : 'milliseconds since the epoch; these look like seconds',
    );
  }
  checkExpiry(time);
  return time;
}

/** @throws UnauthorizedException for a time that is past */
export function checkExpiry(time: number | undefined): void {
  if (time !== undefined && time <= Date.now()) {
    throw new UnauthorizedException('The permission for this event stream has ended.');
  }
}

/** The most characters of a client's `info` as JSON: each open connection keeps it. */
const MAX_INFO_LENGTH = 4_096;

const CLIENT =
  `an id, a string of 1 to ${MAX_CLIENT_LENGTH} characters, { id, info } with such an id, ` +
  'or undefined to count by address';

/**
 * For whom a request counts: its client, or its address without one.
 *
 * @param option names the client of a request
 * @param isAddressCounted whether a request without a client counts for its address; else for none. Default: true
 * @throws SseError `INVALID_OPTION` for an invalid answer of the option
 * @throws HttpException 403 when the request has come with somebody else's ticket
 */
export function countedOf(
  request: FrameworkRequest,
  option: ((request: FrameworkRequest) => unknown) | undefined,
  where: string,
  isAddressCounted = true,
): CountedAs {
  const client = option && clientOf(atOnce(option(request)), where);
  return clientByTicket(request, client) ?? ((isAddressCounted && request.ip) || '');
}

/**
 * Who is behind a request.
 *
 * @param answer what `client` returned
 * @throws SseError `INVALID_OPTION` for an answer that names no client and is not `undefined`
 */
export function clientOf(answer: unknown, where: string): Client | undefined {
  if (answer === undefined) {
    return undefined;
  }
  const isObject = typeof answer === 'object' && answer !== null;
  const { id, info } = isObject ? (answer as Record<'id' | 'info', unknown>) : { id: answer };
  if (typeof id !== 'string') {
    const withId = isObject && 'id' in answer ? ` whose id is ${described(id)}` : '';
    throw refused('client', where, described(answer) + withId, CLIENT);
  }
  if (id === '' || id.length > MAX_CLIENT_LENGTH) {
    throw refused('client', where, `an id of ${id.length} characters`, CLIENT);
  }
  return { id, info: infoText(info, where) };
}

function infoText(info: unknown, where: string): string | undefined {
  if (info === undefined) {
    return undefined;
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(info);
  } catch {
    // A cycle, a BigInt, or a toJSON() that throws. We drop the error, which may repeat the content.
  }
  if (text === undefined || text.length > MAX_INFO_LENGTH) {
    throw refused(
      'client',
      where,
      text === undefined
        ? 'an `info` that JSON cannot express'
        : `an \`info\` of ${text.length} characters as JSON`,
      `an \`info\` of at most ${MAX_INFO_LENGTH} characters as JSON`,
    );
  }
  return text;
}

/**
 * Whether a client may read a channel.
 *
 * @param answer what `authorize` returned, or its promise
 * @throws SseError `INVALID_OPTION` for an answer that is neither true nor false
 */
export function permissionOf(answer: unknown, where: string): boolean {
  if (typeof answer !== 'boolean') {
    throw noAnswer('authorize', where, answer, 'true or false, or a promise of one');
  }
  return answer;
}

/** The most names, repeats included, that a resolver may give for each allowed channel. */
const REPEATS = 100;

/**
 * The names of the channels that a request may read: at most `most`, and one more to show that
 * there are too many.
 *
 * @param answer the resolver's answer, or that of its promise; or what its Observable has emitted
 * @throws SseError `INVALID_OPTION` for an answer that is neither a name nor several
 */
export function channelNamesOf(
  answer: unknown,
  where: string,
  most: number,
  isEmitted = false,
): string[] {
  if (typeof answer === 'string') {
    return [answer];
  }
  const isIterable = typeof answer === 'object' && answer !== null && Symbol.iterator in answer;
  const names = isIterable ? firstOf(answer as Iterable<unknown>, most + 1) : [answer];
  if (!isIterable || !names.every((name) => typeof name === 'string')) {
    const allowed = 'a channel name or an array of names';
    const wrong = described(names.find((name) => typeof name !== 'string'));
    const given = isIterable ? `${described(answer)} with ${wrong} in it` : wrong;
    throw isEmitted
      ? new SseError(
          'INVALID_OPTION',
          `The Observable of channels of ${where} emitted ${given}; it must emit ${allowed}.`,
        )
      : refused('The resolver', where, given, `${allowed}, or an Observable of them`);
  }
  return names as string[];
}

/** The first different items. An iterable may be endless, and may repeat one item for ever. */
function firstOf(items: Iterable<unknown>, most: number): unknown[] {
  const first = new Set<unknown>();
  let looked = 0;
  for (const item of items) {
    first.add(item);
    if (first.size === most || ++looked === most * REPEATS) {
      break;
    }
  }
  return [...first];
}

function noAnswer(what: string, where: string, answer: unknown, allowed: string): SseError {
  return refused(what, where, described(answer), allowed);
}

function refused(what: string, where: string, returned: string, allowed: string): SseError {
  const subject = what.startsWith('The') ? what : `\`${what}\``;
  return new SseError(
    'INVALID_OPTION',
    `${subject} of ${where} returned ${returned}; it must return ${allowed}. The request is refused.`,
  );
}

/** The kind of an answer, without its content, which may be a secret. */
function described(answer: unknown): string {
  if (answer instanceof Date) {
    return Number.isNaN(answer.getTime()) ? 'an invalid Date' : 'a Date';
  }
  if (typeof answer === 'number' || answer === null || answer === undefined) {
    return String(answer);
  }
  return kindOf(answer);
}

export function tooManyStreams(): HttpException {
  return new HttpException(
    'This client has too many open event streams.',
    HttpStatus.TOO_MANY_REQUESTS,
  );
}
