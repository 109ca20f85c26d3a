import { ERROR_CODES } from '../channel/error-codes.js';
import { SOURCE_KINDS } from '../channel/source-kind.js';
import { OUTAGE_SYSTEMS } from '../channel/tally.js';
import { RUN_END_REASONS } from '../runs/sse-run.js';
import { PUBLISH_OPERATIONS } from '../sending/publish-times.js';
import { byLabel, histogram, single, type Instrument } from './instrument.js';

/** The metrics of what is published, of the systems behind it, and of what lives in them. */
export const SYSTEM_INSTRUMENTS: readonly Instrument[] = [
  histogram(
    'sse.publish.duration',
    's',
    'How long send(), sendKey() and notify() took until their system had the event, or they failed.',
    {
      'sse.publish.operation': PUBLISH_OPERATIONS,
      'sse.publish.target': SOURCE_KINDS,
      'error.type': [...ERROR_CODES, 'other'],
    },
    ({ delivery }) => delivery.tally.publishTimes,
  ),
  byLabel(
    'counter',
    'sse.polls',
    '{poll}',
    'Readings of polled functions and keys.',
    ['sse.source', ['cache', 'poll']],
    ({ delivery }, kind) => delivery.tally.polls[kind].done,
  ),
  byLabel(
    'counter',
    'sse.poll.failures',
    '{poll}',
    'Readings of polled functions and keys that failed.',
    ['sse.source', ['cache', 'poll']],
    ({ delivery }, kind) => delivery.tally.polls[kind].failed,
  ),
  single(
    'updowncounter',
    'sse.poll.keys',
    '{key}',
    'Keys that are polled.',
    ({ sources }) => sources.cache.polledKeys,
  ),
  byLabel(
    'updowncounter',
    'sse.outage.active',
    '{outage}',
    'Outages that last, by what is away.',
    ['sse.outage.system', OUTAGE_SYSTEMS],
    ({ delivery }, system) => delivery.tally.outages[system],
  ),
  histogram(
    'sse.outage.duration',
    's',
    'How long outages lasted that are over.',
    { 'sse.outage.system': OUTAGE_SYSTEMS },
    ({ delivery }) => delivery.tally.outageTimes,
  ),
  single(
    'gauge',
    'sse.redis.streams.behind',
    '{stream}',
    'Redis streams that are read anew, as a message of them did not come.',
    ({ sources }) => sources.streamsBehind,
  ),
  single(
    'gauge',
    'sse.event_table.backlog',
    '{event}',
    'Ids of the event table that were given out and not delivered here, at the last look.',
    ({ sources }) => sources.eventTableBacklog,
  ),
  single(
    'gauge',
    'sse.event_table.stuck',
    's',
    'The age of an open transaction that delays the event table by more than five seconds; 0 without one.',
    ({ sources }) => {
      const stats = sources.eventTableStats;
      return stats && (stats.stuck?.age ?? 0) / 1_000;
    },
  ),
  single(
    'updowncounter',
    'sse.event_table.elected',
    '{instance}',
    'Whether this instance applies the retention of the event table, and wakes the others: 1 or 0.',
    ({ sources }) => sources.eventTableStats && Number(sources.eventTableStats.elected),
  ),
  single(
    'gauge',
    'sse.event_table.disk.size',
    'By',
    'The size of the event table on disk, when this instance last looked.',
    ({ sources }) => sources.eventTableStats?.disk?.bytes,
  ),
  single(
    'updowncounter',
    'sse.run.active',
    '{run}',
    'Active runs that this instance has begun.',
    ({ runs }) => runs.size,
  ),
  histogram(
    'sse.run.duration',
    's',
    'How long runs of this instance lasted that have ended.',
    { 'sse.run.end.reason': RUN_END_REASONS },
    ({ delivery }) => delivery.tally.runTimes,
  ),
  single(
    'updowncounter',
    'sse.presence.members',
    '{member}',
    'Clients that are present in channels by connections of this instance, each once for a channel.',
    ({ presence }) => presence.size,
  ),
];
