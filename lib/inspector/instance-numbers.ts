import { hostname } from 'node:os';
import { monotonicNow } from '../channel/clock.js';
import { RESET_REASONS } from '../channel/reset-event.js';
import { SOURCE_KINDS } from '../channel/source-kind.js';
import type { Tally } from '../channel/tally.js';
import type { Metrics } from '../metrics/metrics.js';
import { isUsable } from '../sse.health.js';
import type { ChannelSums } from './channel-sums.js';
import type { Overview, ShownOutage, ShownSystem } from './overview.js';

/** What tells this process from others. */
export const INSTANCE = `${hostname()}:${process.pid}`;

/** The numbers that no walk takes. */
export function totalsOf(
  { delivery, sources, runs }: Metrics,
  sums: ChannelSums,
  loopDelay: number,
): Overview['totals'] {
  const { connections, channels } = delivery;
  const { rss, heapUsed } = process.memoryUsage();
  return {
    connections: connections.size,
    opening: connections.opening,
    channels: channels.size,
    readers: sums.readers,
    slow: connections.slow.size,
    events: sums.events,
    bytes: sums.bytes,
    polledKeys: sources.cache.polledKeys,
    runs: runs.size,
    rss,
    heap: heapUsed,
    loopDelay,
  };
}

type Counted = Pick<Overview, 'counters' | 'refusedBy' | 'endedBy' | 'resetsBy'>;

export function countersOf({ delivery: { connections, tally } }: Metrics): Counted {
  const { stalled, ...refusedBy } = connections.counts;
  const endedBy = Object.fromEntries(connections.ends);
  const { channel, reader } = tally.resets;
  const resetsBy = Object.fromEntries(
    RESET_REASONS.map((reason) => [reason, channel[reason] + reader[reason]]),
  );
  const counters = {
    opened: connections.count,
    ended: sumOf(endedBy),
    received: SOURCE_KINDS.reduce((sum, kind) => sum + tally.received[kind].events, 0),
    sent: tally.sentEvents,
    sentBytes: tally.sentBytes,
    refused: sumOf(refusedBy),
    stalled,
    resets: sumOf(resetsBy),
  };
  return { counters, refusedBy, endedBy, resetsBy };
}

/** The names of outages, by those of systems. */
const OUTAGE_OF: Readonly<Record<string, string>> = { postgres: 'listen' };

export function systemsOf({ sources, delivery: { tally } }: Metrics): ShownSystem[] {
  return Object.entries(sources.health).map(([name, health]) => {
    if (isUsable(health)) {
      return { name, up: true };
    }
    const own = OUTAGE_OF[name] ?? name;
    const outage = tally.noted.findLast(({ system, to }) => system === own && to === undefined);
    const since = dateOf(monotonicNow() - health.awayFor);
    return { name, up: false, since, ...(outage && { error: shortened(outage.text) }) };
  });
}

export function outagesOf({ noted }: Tally): ShownOutage[] {
  return noted.map(({ system, from, to, text }) => ({
    system,
    from: dateOf(from),
    ...(to !== undefined && { to: dateOf(to) }),
    error: shortened(text),
  }));
}

/** The date of a moment on the clock of `monotonicNow()`. */
export function dateOf(moment: number): number {
  return Math.round(performance.timeOrigin + moment);
}

/** The most characters of a line of the log that the page shows. */
const MAX_LINE = 500;

function shortened(text: string): string {
  return text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text;
}

function sumOf(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((sum, number) => sum + number, 0);
}
