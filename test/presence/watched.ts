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
