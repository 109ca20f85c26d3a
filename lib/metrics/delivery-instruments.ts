import type { Channel } from '../channel/channel.js';
import { monotonicNow } from '../channel/clock.js';
import { RESET_REASONS } from '../channel/reset-event.js';
import { SOURCE_KINDS } from '../channel/source-kind.js';
import { REFUSALS } from '../delivery/admission.js';
import { END_REASONS } from '../delivery/end-reason.js';
import type { Connections } from '../delivery/connections.js';
import { byLabel, histogram, single, type Instrument, type Numbers } from './instrument.js';

/** The metrics of connections and channels. */
export const DELIVERY_INSTRUMENTS: readonly Instrument[] = [
  single(
    'updowncounter',
    'sse.connection.active',
    '{connection}',
    'Open connections.',
    ({ delivery }) => delivery.connections.size,
  ),
  single(
    'updowncounter',
    'sse.connection.pending',
    '{request}',
    'Requests whose streams have not begun: an interceptor, a resolver or a handler is at work.',
    ({ delivery }) => delivery.connections.opening,
  ),
  single(
    'counter',
    'sse.connection.opened',
    '{connection}',
    'Connections that were opened.',
    ({ delivery }) => delivery.connections.count,
  ),
  byLabel(
    'counter',
    'sse.connection.ended',
    '{connection}',
    'Connections that have ended, by reason.',
    ['sse.connection.end.reason', END_REASONS],
    ({ delivery }, reason) => delivery.connections.ends.get(reason) ?? 0,
  ),
  histogram(
    'sse.connection.duration',
    's',
    'For how long connections that have ended were open.',
    {},
    ({ delivery }) => delivery.tally.connectionTimes,
  ),
  byLabel(
    'counter',
    'sse.connection.refused',
    '{connection}',
    'Clients that were not let in, by reason.',
    ['sse.connection.refusal', REFUSALS],
    ({ delivery }, reason) => delivery.connections.counts[reason],
  ),
  single(
    'updowncounter',
    'sse.connection.slow',
    '{connection}',
    'Connections whose clients do not read at the moment.',
    ({ delivery }) => delivery.connections.slow.size,
  ),
  single(
    'gauge',
    'sse.connection.lag',
    's',
    'The longest time for which a client has not read by now.',
    ({ delivery }) => longestLag(delivery.connections),
  ),
  single(
    'gauge',
    'sse.connection.backlog',
    '{event}',
    'The most events that wait for a client that does not read.',
    ({ delivery }) => largestBacklog(delivery.connections),
  ),
  single(
    'counter',
    'sse.sent.events',
    '{event}',
    'Events that were written to connections, each once for each connection.',
    ({ delivery }) => delivery.tally.sentEvents,
  ),
  single(
    'counter',
    'sse.sent.size',
    'By',
    'Frames that were written to connections after the first one, heartbeats among them; before compression.',
    ({ delivery }) => delivery.tally.sentBytes,
  ),
  byLabel(
    'counter',
    'sse.received.events',
    '{event}',
    'Events that sources have brought to channels of this instance.',
    ['sse.source', SOURCE_KINDS],
    ({ delivery }, kind) => delivery.tally.received[kind].events,
  ),
  byLabel(
    'counter',
    'sse.received.size',
    'By',
    'The data of the events that sources have brought.',
    ['sse.source', SOURCE_KINDS],
    ({ delivery }, kind) => delivery.tally.received[kind].bytes,
  ),
  histogram(
    'sse.received.delay',
    's',
    'From when Redis or Postgres had an event, by its clock, until a channel of this instance had it.',
    { 'sse.source': ['redis', 'event-table'] },
    ({ delivery }) => delivery.tally.delays,
  ),
  {
    kind: 'counter',
    name: 'sse.resets',
    unit: '{reset}',
    help: 'Resets: events may be missing for all readers of a channel, or for one.',
    labels: { 'sse.reset.scope': ['channel', 'reader'], 'sse.reset.reason': RESET_REASONS },
    read: ({ delivery: { tally } }) =>
      (['channel', 'reader'] as const).flatMap((scope) =>
        RESET_REASONS.map((reason) => ({
          value: tally.resets[scope][reason],
          labels: { 'sse.reset.scope': scope, 'sse.reset.reason': reason },
        })),
      ),
  },
  single(
    'updowncounter',
    'sse.channel.active',
    '{channel}',
    'Open channels, those that linger without readers among them.',
    ({ delivery }) => delivery.channels.size,
  ),
  single(
    'updowncounter',
    'sse.channel.readers',
    '{reader}',
    'Readers of all channels: connections, and subscribed Observables.',
    (numbers) => sumOfChannels(numbers, ({ readers }) => readers.size),
  ),
  single(
    'updowncounter',
    'sse.channel.retained.events',
    '{event}',
    'Events that channels retain in memory.',
    (numbers) => sumOfChannels(numbers, ({ log }) => log.size),
  ),
  single(
    'updowncounter',
    'sse.channel.retained.size',
    'By',
    'About how much memory the retained events take.',
    (numbers) => sumOfChannels(numbers, ({ log }) => log.bytes),
  ),
  single(
    'counter',
    'sse.channel.refused',
    '{channel}',
    'Channels that were not opened, as `limits.channels` were in use.',
    ({ delivery }) => delivery.tally.refusedChannels,
  ),
];

function sumOfChannels({ delivery }: Numbers, of: (channel: Channel) => number): number {
  let sum = 0;
  for (const channel of delivery.channels.channels) {
    sum += of(channel);
  }
  return sum;
}

/** In seconds. */
function longestLag({ slow }: Connections): number {
  const [longest] = slow;
  return longest ? (monotonicNow() - longest.blockedSince) / 1_000 : 0;
}

function largestBacklog({ slow }: Connections): number {
  let largest = 0;
  for (const connection of slow) {
    largest = Math.max(largest, connection.backlog);
  }
  return largest;
}
