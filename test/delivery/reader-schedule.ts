import * as fc from 'fast-check';
import type { Answering } from '../channel/model-source.js';

/** How a client reads its channels. */
export type Reading = 'as they are' | 'latest' | 'through a handler';

/** One step of a schedule. What it picks, it picks from what is there then. */
export type Step =
  | { readonly do: 'write'; readonly channel: number; readonly count: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'trim'; readonly channel: number; readonly share: number }
  | { readonly do: 'replace'; readonly channel: number; readonly count: number }
  | { readonly do: 'gap'; readonly channel: number }
  | { readonly do: 'answering'; readonly channel: number; readonly how: Answering }
  | { readonly do: 'answer' }
  | { readonly do: 'emit' }
  | { readonly do: 'connect'; readonly channels: readonly number[]; readonly reading: Reading }
  | { readonly do: 'stall'; readonly pick: number }
  | { readonly do: 'readOn'; readonly pick: number }
  | { readonly do: 'cut'; readonly pick: number }
  | { readonly do: 'return'; readonly pick: number };

/** What one channel is like. */
export interface ChannelShape {
  readonly hasHistory: boolean;
  /** Characters that each event has beside its number: 9,000 are four events to a block. */
  readonly filler: number;
}

export interface ReaderSchedule {
  readonly channels: readonly ChannelShape[];
  readonly retain: { readonly events: number; readonly bytes: number; readonly age: number };
  readonly steps: readonly Step[];
}

const pick = fc.nat(1_000);
const channel = fc.nat(2);
const of = <T>(value: T) => fc.constant(value);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      do: of('write' as const),
      channel,
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: of('pass' as const),
      ms: fc.constantFrom(1, 1_001, 10_001, 10_001, 61_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: of('trim' as const),
      channel,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: of('replace' as const), channel, count: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.record({ do: of('gap' as const), channel }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: of('answering' as const),
      channel,
      how: fc.constantFrom<Answering>('at once', 'when told', 'behind', 'with an error'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: of('answer' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: of('emit' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: of('connect' as const),
      channels: fc.oneof(
        fc.uniqueArray(channel, { minLength: 1, maxLength: 1 }),
        fc.uniqueArray(channel, { minLength: 1, maxLength: 3 }),
      ),
      reading: fc.constantFrom<Reading>(
        'as they are',
        'as they are',
        'latest',
        'through a handler',
      ),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: of('stall' as const), pick }) },
  { weight: 10, arbitrary: fc.record({ do: of('readOn' as const), pick }) },
  { weight: 8, arbitrary: fc.record({ do: of('cut' as const), pick }) },
  { weight: 10, arbitrary: fc.record({ do: of('return' as const), pick }) },
);

const shape = fc.record({ hasHistory: fc.boolean(), filler: fc.constantFrom(0, 0, 9_000) });

/** What can happen between sources, channels and clients that stall, lose their connection, return. */
export const readerSchedule: fc.Arbitrary<ReaderSchedule> = fc.record({
  channels: fc.array(shape, { minLength: 3, maxLength: 3 }),
  retain: fc.record({
    events: fc.integer({ min: 2, max: 30 }),
    bytes: fc.constantFrom(Infinity, 2_000, 100_000),
    age: fc.constantFrom(300_000, Infinity),
  }),
  steps: fc.array(step, { minLength: 30, maxLength: 120, size: 'max' }),
});
