import { comparePositions } from '../../lib/sources/event-table/position.js';
import type { Instance } from './event-table-rig.js';
import { TOPICS } from './random-writers.js';

/** What an instance has received on all topics of the random writers, in the order of arrival. */
export interface Recording {
  readonly seen: { readonly position: string; readonly data: string }[];
  readonly resets: string[];
  isLive: boolean;
}

/** Records all topics of the random writers. */
export function recordAll({ table }: Instance): Recording {
  const recording: Recording = { seen: [], resets: [], isLive: false };
  for (const topic of TOPICS) {
    table.open(topic, {
      live: () => (recording.isLive = true),
      append: ({ position, data }) => {
        recording.seen.push({ position: position!, data });
        return position!;
      },
      reset: (reason) => void recording.resets.push(reason),
    });
  }
  return recording;
}

/** What a recording of everything that is in the table compares as. */
export const ALL_RECEIVED = {
  missing: 0,
  twice: 0,
  unordered: 0,
  resets: 0,
  isSameOrder: true,
};

/** Counts how a recording differs from what the table has, in the table's order. */
export function compare(
  { seen, resets }: Recording,
  truth: readonly string[],
): typeof ALL_RECEIVED {
  const data = seen.map((event) => event.data);
  const arrived = new Set(data);
  return {
    missing: truth.filter((text) => !arrived.has(text)).length,
    twice: data.length - arrived.size,
    unordered: seen.filter(
      ({ position }, index) =>
        index > 0 && comparePositions(seen[index - 1]!.position, position) >= 0,
    ).length,
    resets: resets.length,
    isSameOrder: data.join() === truth.join(),
  };
}
