import type { KeyReading } from './key-store.js';
import type { RedisReply } from '../redis/redis-batch.js';
import { inOrder, parseWaiting } from './waiting-event.js';

/** What the take script's reply says. */
export function takenReading(reply: RedisReply): KeyReading {
  const [waiting, values, kind, more] = ('ok' in reply ? reply.ok : []) as [
    string[],
    string[],
    string,
    number,
  ];
  const events = inOrder(waiting.map(parseWaiting), values);
  return {
    events,
    more: Number(more) > 0,
    refused: refusalOf(kind),
  };
}

/** What the share script's reply says. */
export function sharedReading(reply: RedisReply): KeyReading {
  const [count, kind, more] = ('ok' in reply ? reply.ok : []) as [number, string, number];
  return {
    events: [],
    shared: Number(count),
    more: Number(more) > 0,
    refused: refusalOf(kind),
  };
}

/** What the settle script's reply says. */
export function settledReading(reply: RedisReply): KeyReading {
  const [waiting, value, more] = ('ok' in reply ? reply.ok : []) as [
    string[],
    string | null,
    number,
  ];
  return {
    events: waiting.map(parseWaiting).map(({ data, type, id }) => ({ data, type, id })),
    value: value ?? undefined,
    more: Number(more) > 0,
  };
}

/** Whether a take brought nothing. */
export function isEmpty(reading: KeyReading): boolean {
  return reading.events.length === 0 && reading.refused === undefined;
}

function refusalOf(kind: string): string | undefined {
  const readable = kind === 'string' || kind === 'list' || kind === 'none';
  return readable ? undefined : `its value in Redis is a ${kind}, not a string or a list`;
}
