import type { RedisReply } from '../../redis/redis-call.js';
import { tooLarge, type KeyEvent, type KeyReading } from '../key-store.js';
import { NO_WAITING_EVENT, parseWaiting } from '../waiting-event.js';

/**
 * The reading of a key whose command has failed; `undefined` when there is a reply.
 * @param reportsLoss whether the connection logs itself that it was lost
 */
export function failedReading(reply: RedisReply, reportsLoss: boolean): KeyReading | undefined {
  if ('ok' in reply) {
    return undefined;
  }
  const { error } = reply;
  if (error.message.includes('WRONGTYPE')) {
    return { events: [], refused: 'it, or a key beside it, has another type' };
  }
  // Only this code knows the server's own errors; the connection logs a loss itself.
  return { events: [], failure: error, reported: reportsLoss && isLost(reply) };
}

/** Whether the reply is missing: the command may or may not have run. */
export function isLost(reply: RedisReply): boolean {
  return 'error' in reply && reply.error.name !== 'ReplyError';
}

/** Turns the share script's reply into a reading. */
export function sharedReading(reply: RedisReply): KeyReading {
  const [count, kind, waitingKind, more, skipped, bytes] = ('ok' in reply ? reply.ok : []) as [
    number,
    string,
    string,
    number,
    number,
    number,
  ];
  return {
    events: [],
    shared: count + skipped,
    more: more > 0,
    skipped:
      skipped > 0
        ? { count: skipped, why: bytes < 0 ? NO_WAITING_EVENT : tooLarge(bytes) }
        : undefined,
    refused:
      wrongType(kind, ['string', 'list'], 'its value in Redis') ??
      wrongType(waitingKind, ['list'], 'the list of its waiting events'),
  };
}

/** The number of bytes that the share script has appended. */
export function bytesShared(answer: unknown): number {
  return Number((answer as readonly unknown[])[6]);
}

/** About how many bytes of text an answer holds. */
export function bytesOf(answer: unknown): number {
  if (Array.isArray(answer)) {
    return answer.reduce((sum: number, one) => sum + bytesOf(one), 0);
  }
  return typeof answer === 'string' ? answer.length : 0;
}

/** Turns the settle script's reply into a reading; `undefined` when nothing has waited. */
export function settledReading(reply: RedisReply): KeyReading | undefined {
  const [waiting, more] = ('ok' in reply ? reply.ok : []) as [string[], number];
  const events = waiting.map(parseWaiting).filter((event) => event !== undefined);
  const skipped = waiting.length - events.length;
  if (waiting.length === 0) {
    return undefined;
  }
  return {
    events: events.map(({ data, type, id }): KeyEvent => ({ data, type, id })),
    value: events.at(-1)?.data,
    unchanged: events.length === 0,
    // Without a readable event nobody has looked at the value.
    more: more > 0 || events.length === 0,
    skipped: skipped > 0 ? { count: skipped, why: NO_WAITING_EVENT } : undefined,
  };
}

function wrongType(kind: string, wanted: readonly string[], what: string): string | undefined {
  return kind === 'none' || wanted.includes(kind)
    ? undefined
    : `${what} is a ${kind}, not a ${wanted.join(' or a ')}`;
}
