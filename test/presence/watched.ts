import { expect } from '@jest/globals';
import type { SseService } from '../../lib/index.js';
import type { SseTestClient, SseTestEvent } from '../../lib/testing/index.js';
import { until } from '../support/until.js';

/** The ids of the members of a channel, and how many connections each has. */
export async function presentIn(sse: SseService, channel: string): Promise<Record<string, number>> {
  const { members } = await sse.presence(channel);
  return Object.fromEntries(members.map(({ id, connections }) => [id, connections]));
}

/** Waits until exactly these are present, by their ids, with so many connections each. */
export async function untilPresent(
  sse: SseService,
  channel: string,
  expected: Readonly<Record<string, number>>,
): Promise<void> {
  let found: Record<string, number> = {};
  await until(
    async () => {
      found = await presentIn(sse, channel).catch(() => found);
      return JSON.stringify(sorted(found)) === JSON.stringify(sorted(expected));
    },
    { every: 20 },
  ).catch(() => expect(found).toEqual(expected));
}

const sorted = (record: Readonly<Record<string, number>>) =>
  Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1));

/** For each client what came: its joins and leaves, in their order. */
export function movesOf(events: readonly SseTestEvent[]): Record<string, string> {
  const moves: Record<string, string> = {};
  for (const { type, data } of events) {
    if (type === 'sse:join' || type === 'sse:leave') {
      const { id } = JSON.parse(data) as { id: string };
      moves[id] = `${moves[id] ?? ''}${type === 'sse:join' ? '+' : '-'}`;
    }
  }
  return moves;
}

/**
 * Expects of each client that it joined and left by turns, each once, and that those are present who
 * joined last. The watcher has read the channel from the beginning. Waits for them: an instance that was cut
 * off may still have a join to tell of, and then the leave, of a client that has gone meanwhile.
 */
export async function expectByTurns(
  watcher: SseTestClient,
  present: Readonly<Record<string, number>>,
): Promise<void> {
  const there = () =>
    Object.entries(movesOf(watcher.events))
      .flatMap(([id, each]) => (each.endsWith('+') ? [id] : []))
      .sort();
  const expected = Object.keys(present).sort();
  await until(() => there().join() === expected.join()).catch(() => undefined);
  const moves = movesOf(watcher.events);
  expect(watcher.events.filter(({ type }) => type === 'sse:reset')).toEqual([]);
  expect(Object.entries(moves).filter(([, each]) => !/^(\+-)*\+?$/.test(each))).toEqual([]);
  expect(there()).toEqual(expected);
}

/**
 * The same where the watcher may have received resets, after each of which a page reads the list anew: so
 * between two of them each client joined and left by turns.
 */
export async function expectByTurnsOrReset(
  watcher: SseTestClient,
  present: Readonly<Record<string, number>>,
): Promise<void> {
  const parts = () => {
    const all: SseTestEvent[][] = [[]];
    for (const event of watcher.events) {
      if (event.type === 'sse:reset') all.push([]);
      else all.at(-1)!.push(event);
    }
    return all.map(movesOf);
  };
  const wrong = (part: Record<string, string>, turns: RegExp) =>
    Object.entries(part).filter(([, each]) => !turns.test(each));
  const untold = () => {
    const all = parts();
    const last = all.at(-1)!;
    const isThere = (id: string) => last[id]?.endsWith('+') ?? (all.length > 1 && id in present);
    const ids = new Set([...Object.keys(last), ...Object.keys(present)]);
    return [...ids].filter((id) => isThere(id) !== id in present);
  };
  await until(() => untold().length === 0).catch(() => undefined);
  expect(untold()).toEqual([]);
  const [first, ...others] = parts();
  expect(wrong(first!, /^(\+-)*\+?$/)).toEqual([]);
  expect(others.flatMap((part) => wrong(part, /^-?(\+-)*\+?$/))).toEqual([]);
}
