import type { ChannelShape, Reading, ReaderSchedule, Step } from './reader-schedule.js';

/** What a schedule can reach: the reasons of resets, and what else is counted. */
export type Reached =
  | 'trimmed'
  | 'failover'
  | 'listener-gap'
  | 'slow-consumer'
  | 'returns'
  | 'stalls'
  | 'cutWhileStalled'
  | 'emitted'
  | 'latest'
  | 'several';

const LOG_ONLY: ChannelShape = { hasHistory: false, filler: 9_000 };
const WITH_HISTORY: ChannelShape = { hasHistory: true, filler: 0 };

const connect = (reading: Reading, ...channels: number[]): Step => ({
  do: 'connect',
  channels,
  reading,
});
/** More than the channels keep. */
const much: readonly Step[] = [0, 1, 2].map((channel) => ({ do: 'write', channel, count: 12 }));

function scheduleOf(shape: ChannelShape, ...steps: Step[]): ReaderSchedule {
  return {
    channels: [shape, shape, shape],
    retain: { events: 4, bytes: Infinity, age: Infinity },
    steps,
  };
}

/** Written by hand: each surely reaches what it is named for, which random ones need not do. */
export const REACHING: Readonly<Record<Reached, ReaderSchedule>> = {
  trimmed: scheduleOf(
    WITH_HISTORY,
    connect('as they are', 0),
    { do: 'cut', pick: 0 },
    ...much,
    { do: 'trim', channel: 0, share: 1 },
    { do: 'return', pick: 0 },
  ),
  failover: scheduleOf(WITH_HISTORY, connect('as they are', 0), {
    do: 'replace',
    channel: 0,
    count: 3,
  }),
  'listener-gap': scheduleOf(LOG_ONLY, connect('as they are', 0), { do: 'gap', channel: 0 }),
  'slow-consumer': scheduleOf(
    LOG_ONLY,
    connect('as they are', 0),
    { do: 'stall', pick: 0 },
    ...much,
    // Until then the log keeps for readers what it does not retain.
    { do: 'pass', ms: 61_000 },
    ...much,
    { do: 'readOn', pick: 0 },
  ),
  returns: scheduleOf(
    LOG_ONLY,
    connect('as they are', 0),
    { do: 'cut', pick: 0 },
    { do: 'write', channel: 0, count: 3 },
    { do: 'return', pick: 0 },
  ),
  stalls: scheduleOf(WITH_HISTORY, connect('as they are', 0), { do: 'stall', pick: 0 }, ...much, {
    do: 'readOn',
    pick: 0,
  }),
  cutWhileStalled: scheduleOf(
    WITH_HISTORY,
    connect('as they are', 0),
    { do: 'stall', pick: 0 },
    ...much,
    { do: 'cut', pick: 0 },
    { do: 'return', pick: 0 },
  ),
  emitted: scheduleOf(
    LOG_ONLY,
    connect('through a handler', 0),
    { do: 'emit' },
    { do: 'write', channel: 0, count: 3 },
    { do: 'emit' },
  ),
  latest: scheduleOf(LOG_ONLY, connect('latest', 0), { do: 'stall', pick: 0 }, ...much, {
    do: 'readOn',
    pick: 0,
  }),
  several: scheduleOf(
    WITH_HISTORY,
    connect('as they are', 0, 1, 2),
    ...Array.from({ length: 15 }, () => much).flat(),
  ),
};
