import type pg from 'pg';
import { connect } from './event-table-rig.js';

/** What went wrong with numbered events on their way to one reader; all 0 if nothing did. */
export interface Faults {
  readonly missing: number;
  readonly twice: number;
  readonly unordered: number;
}

export const NO_FAULTS: Faults = { missing: 0, twice: 0, unordered: 0 };

/** How many of the numbers are missing, or came more than once, or out of order. */
export function faultsOf(data: readonly string[], expected: readonly number[]): Faults {
  const numbers = data.map(Number);
  const arrived = new Set(numbers);
  return {
    missing: expected.filter((number) => !arrived.has(number)).length,
    twice: numbers.length - arrived.size,
    unordered: numbers.filter((number, index) => index > 0 && number < numbers[index - 1]!).length,
  };
}

/** The numbers from the first up to below the second. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** Writes numbered events to `news` with a connection of its own, through every outage. */
export async function writeNumbers(url: string, from: number, to: number): Promise<void> {
  let client: pg.Client | undefined;
  for (let number = from; number < to;) {
    try {
      client ??= await connect(url);
      // An id of its own shows whether a commit whose answer was lost had been done.
      await client.query(
        `select sse.publish('news', $1, null, $2) where not exists (select from sse.event where own_id = $2)`,
        [String(number), `number ${number}`],
      );
      number++;
    } catch {
      await client?.end().catch(() => undefined);
      client = undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  await client?.end();
}
