import { metric } from './results.js';
import type { Metrics } from '../measure.js';
import type { PeerName } from '../servers/index.js';
import type { Result, Verdict } from './results.js';

/** A ratio that our module aims at: its number divided by a peer's, or by its own in another case. */
interface Target {
  readonly title: string;
  readonly case: string;
  readonly metric: keyof Metrics;
  /** Unset: the number itself is compared. */
  readonly against?: { readonly peer: PeerName; readonly case?: string };
  readonly atMost?: number;
  readonly atLeast?: number;
}

function ratios(
  title: string,
  caseName: string,
  name: keyof Metrics,
  bound: 'atMost' | 'atLeast',
  limits: Partial<Record<PeerName, number>>,
): Target[] {
  return (Object.entries(limits) as [PeerName, number][]).map(([peer, limit]) => ({
    title,
    case: caseName,
    metric: name,
    against: { peer },
    [bound]: limit,
  }));
}

const TARGETS: readonly Target[] = [
  ...ratios('1,000 clients, burst 1: CPU per event', 'burst-1', 'cpuPerEvent', 'atMost', {
    nest: 0.36,
    'better-sse': 0.6,
    floor: 1.2,
    nchan: 1.4,
  }),
  ...ratios('1,000 clients, burst 10: events/s', 'burst-10', 'eventsPerSecond', 'atLeast', {
    nest: 16,
    'better-sse': 4.5,
    floor: 0.65,
    nchan: 8,
  }),
  ...ratios('8,000 clients, burst 10: events/s', 'clients-8000', 'eventsPerSecond', 'atLeast', {
    nest: 24,
    floor: 0.75,
  }),
  ...ratios(
    'filter() for each client, burst 1: CPU per event',
    'filter-1',
    'cpuPerEvent',
    'atMost',
    {
      nest: 1 / 3,
    },
  ),
  ...ratios(
    'filter() for each client, burst 10: CPU per event',
    'filter-10',
    'cpuPerEvent',
    'atMost',
    {
      nest: 1 / 3,
    },
  ),
  ...(['https', 'http2'] as const).flatMap((protocol) =>
    [1, 10].flatMap((burst) =>
      ratios(
        `${protocol}, 500 clients, burst ${burst}: CPU per event`,
        `${protocol}-burst-${burst}`,
        'cpuPerEvent',
        'atMost',
        { floor: 1.3 },
      ),
    ),
  ),
  ...ratios('Memory of an idle connection (RSS)', 'memory', 'rssPerConnection', 'atMost', {
    floor: 1.35,
  }),
  ...ratios('Heap of an idle connection', 'memory', 'heapPerConnection', 'atMost', {
    nest: 1,
    'better-sse': 1.4,
  }),
  ...ratios('Opening a stream on Express: CPU', 'connect-express', 'cpuPerOpening', 'atMost', {
    nest: 0.8,
  }),
  ...ratios('Opening a stream on Fastify: CPU', 'connect-fastify', 'cpuPerOpening', 'atMost', {
    nest: 0.8,
  }),
  ...ratios('1,000 clients, 50 events/s: p99 latency', 'latency', 'latencyP99', 'atMost', {
    nest: 0.4,
    'better-sse': 0.7,
    floor: 1.2,
  }),
  {
    title: '18,000 idle connections: share of a core',
    case: 'idle-18000',
    metric: 'idleCpu',
    atMost: 0.05,
  },
  {
    title: 'CPU per event from 1,000 to 16,000 clients',
    case: 'growth-16000',
    metric: 'cpuPerEvent',
    against: { peer: 'ours', case: 'growth-1000' },
    atMost: 1.3,
  },
];

/** Compares with the targets whatever was measured of them. */
export function judge(results: readonly Result[]): Verdict[] {
  const verdicts: Verdict[] = [];
  for (const target of TARGETS) {
    const ours = metric(results, target.case, 'ours', target.metric);
    const base = target.against
      ? metric(results, target.against.case ?? target.case, target.against.peer, target.metric)
      : 1;
    if (ours === undefined || base === undefined) continue;
    const value = ours / base;
    verdicts.push({
      title: target.title,
      against: target.against ? (target.against.case ?? target.against.peer) : '',
      limit:
        target.atMost === undefined
          ? `≥ ${target.atLeast}`
          : `≤ ${Number(target.atMost.toFixed(2))}`,
      value,
      met: value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? 0),
    });
  }
  return verdicts;
}
