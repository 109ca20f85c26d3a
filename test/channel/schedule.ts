import * as fc from 'fast-check';
import type { RetainLimits } from '../../lib/channel/event-log.js';
import type { ResetReason } from '../../lib/channel/source.js';
import type { Answering, ModelEvent } from './model-source.js';

/** Where a client starts that connects. */
export type From = 'live' | 'last' | 'seen' | 'earliest' | 'own' | 'nonsense';

/** One step of a schedule. What it picks, it picks from what is there then. */
export type Step =
  | { readonly do: 'write'; readonly events: readonly ModelEvent[]; readonly append: boolean }
  | { readonly do: 'append' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'trim'; readonly share: number }
  | { readonly do: 'replace'; readonly count: number }
  | { readonly do: 'reset'; readonly reason: ResetReason; readonly withPosition: boolean }
  | { readonly do: 'answering'; readonly how: Answering; readonly pageSize: number }
  | { readonly do: 'answer' }
  | { readonly do: 'connect'; readonly from: From; readonly pick: number }
  | { readonly do: 'read'; readonly pick: number; readonly count: number }
  | { readonly do: 'leave'; readonly pick: number };

export interface Schedule {
  readonly hasHistory: boolean;
  readonly retain: RetainLimits;
  readonly steps: readonly Step[];
}

const event: fc.Arbitrary<ModelEvent> = fc.record({
  hasOwnId: fc.nat(9).map((n) => n > 7),
  end: fc.nat(29).map((n) => n > 28),
  isBad: fc.nat(19).map((n) => n > 18),
});

const pick = fc.nat(1_000);

const write = fc.record({
  do: fc.constant('write' as const),
  events: fc.array(event, { minLength: 1, maxLength: 8 }),
  append: fc.nat(9).map((n) => n < 8),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: write },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 90, 1_001, 5_000, 10_001, 61_000, 300_001),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('trim' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('replace' as const), count: fc.nat(5) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reset' as const),
      reason: fc.constantFrom<ResetReason>('listener-gap', 'trimmed'),
      withPosition: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('answering' as const),
      how: fc.constantFrom<Answering>(
        'at once',
        'at once',
        'when told',
        'when told',
        'with an error',
        'behind',
      ),
      pageSize: fc.constantFrom(1, 3, 256),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('answer' as const) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      from: fc.constantFrom<From>(
        'live',
        'last',
        'last',
        'last',
        'seen',
        'seen',
        'earliest',
        'own',
        'nonsense',
      ),
      pick,
    }),
  },
  {
    weight: 25,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      pick,
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('leave' as const), pick }) },
);

/** What can happen between a source, a log and its clients, in any order. */
export const schedule: fc.Arbitrary<Schedule> = fc.record({
  hasHistory: fc.boolean(),
  retain: fc.record({
    events: fc.integer({ min: 1, max: 20 }),
    bytes: fc.constantFrom(Infinity, Infinity, 200, 1_000),
    age: fc.constantFrom(300_000, 1_000, Infinity),
  }),
  steps: fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }),
});
