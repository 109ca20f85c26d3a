import type { ModelEvent } from './model-source.js';
import type { From, Schedule, Step } from './schedule.js';

/** What a schedule can reach: the reasons of resets, and what else is counted. */
export type Reached =
  | 'trimmed'
  | 'unknown-position'
  | 'failover'
  | 'listener-gap'
  | 'slow-consumer'
  | 'skipped-event'
  | 'reads'
  | 'ends'
  | 'turnedAway'
  | 'waited'
  | 'graces';

const connect = (from: From, pick = 0): Step => ({ do: 'connect', from, pick });
const write = (...events: ModelEvent[]): Step => ({ do: 'write', events, append: true });
/** Picks a position that no source has written. */
const NEVER_WRITTEN = 3;
const read: Step = { do: 'read', pick: 0, count: 1_000 };
const leave: Step = { do: 'leave', pick: 0 };
/** More than the log keeps. */
const much = write(...Array.from({ length: 8 }, () => ({})));

const scheduleOf = (hasHistory: boolean, ...steps: Step[]): Schedule => ({
  hasHistory,
  retain: { events: 4, bytes: Infinity, age: Infinity },
  steps,
});

/** Written by hand: each surely reaches what it is named for, which random ones need not do. */
export const REACHING: Readonly<Record<Reached, Schedule>> = {
  trimmed: scheduleOf(
    true,
    connect('live'),
    leave,
    much,
    { do: 'trim', share: 1 },
    connect('last'),
    read,
  ),
  'unknown-position': scheduleOf(true, connect('nonsense', NEVER_WRITTEN), read),
  failover: scheduleOf(true, connect('live'), { do: 'replace', count: 3 }, read),
  'listener-gap': scheduleOf(
    true,
    connect('live'),
    { do: 'reset', reason: 'listener-gap', withPosition: true },
    read,
  ),
  'slow-consumer': scheduleOf(
    false,
    connect('live'),
    much,
    // Until then the log keeps for readers what it does not retain.
    { do: 'pass', ms: 61_000 },
    much,
    read,
  ),
  'skipped-event': scheduleOf(true, connect('live'), write({ isBad: true }), read),
  reads: scheduleOf(
    true,
    connect('live'),
    leave,
    ...Array.from({ length: 300 }, () => much),
    connect('last'),
    read,
  ),
  ends: scheduleOf(true, connect('live'), write({}, { end: true }), read),
  turnedAway: scheduleOf(true, connect('live'), write({}, { end: true }), read, connect('last')),
  waited: scheduleOf(true, connect('live'), leave, connect('last'), much, read),
  graces: scheduleOf(false, connect('live'), much, { do: 'pass', ms: 1 }, read),
};
