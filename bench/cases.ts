import type { Platform, Protocol } from './servers/peer.js';
import type { PeerName } from './servers/index.js';

/** What is done with the clients of a case. */
export type CaseKind =
  /** Closed loop: as fast as the server goes. */
  | 'saturate'
  /** Open loop: one event at a fixed rate, and the time until each client has read it. */
  | 'latency'
  /** Clients connect and nothing is published. */
  | 'memory'
  /** Clients stay connected and only heartbeats are sent. */
  | 'idle'
  /** Clients connect and leave, time and again. */
  | 'connect';

export interface Case {
  readonly name: string;
  readonly title: string;
  readonly kind: CaseKind;
  readonly peers: readonly PeerName[];
  readonly clients: number;
  /** Clients are spread evenly over so many channels; a turn publishes on each. */
  readonly channels: number;
  /** Events published on a channel in one turn of the event loop. */
  readonly burst: number;
  readonly durationMs: number;
  readonly warmUpMs: number;
  /** Events a second of the open loop. */
  readonly perSecond: number;
  /** Whether clients read from the endpoint with a `filter()` of their own. */
  readonly filtered: boolean;
  /** Milliseconds between heartbeats, 0 for none. */
  readonly heartbeat: number;
  /** Rounds are cut to this number: long cases whose result hardly varies. */
  readonly maxRounds: number;
  /** What Nest runs on. */
  readonly platform: Platform;
  readonly protocol: Protocol;
}

const ALL: readonly PeerName[] = [
  'floor',
  'write-per-event',
  'nest',
  'better-sse',
  'nchan',
  'ours',
];

const DEFAULTS: Omit<Case, 'name' | 'title'> = {
  kind: 'saturate',
  peers: ALL,
  clients: 1_000,
  channels: 1,
  burst: 1,
  durationMs: 2_000,
  warmUpMs: 700,
  perSecond: 50,
  filtered: false,
  heartbeat: 0,
  maxRounds: Infinity,
  platform: 'express',
  protocol: 'http',
};

/** Client numbers of the growth case. */
export const GROWTH = [16, 256, 1_000, 4_000, 16_000] as const;

export const CASES: readonly Case[] = [
  { ...DEFAULTS, name: 'burst-1', title: '1,000 clients, 1 event a turn' },
  { ...DEFAULTS, name: 'burst-10', title: '1,000 clients, 10 events a turn', burst: 10 },
  ...(['https', 'http2'] as const).flatMap((protocol) =>
    [1, 10].map((burst) => ({
      ...DEFAULTS,
      name: `${protocol}-burst-${burst}`,
      title: `500 clients, ${burst} ${burst === 1 ? 'event' : 'events'} a turn, ${protocol === 'http2' ? 'HTTP/2' : 'HTTPS'} of Fastify`,
      peers: ['floor', 'ours'] as const,
      clients: 500,
      burst,
      platform: 'fastify' as const,
      protocol,
    })),
  ),
  {
    ...DEFAULTS,
    name: 'clients-8000',
    title: '8,000 clients, 10 events a turn',
    clients: 8_000,
    burst: 10,
  },
  {
    ...DEFAULTS,
    name: 'channels-1000',
    title: '1,000 channels with 8 clients each',
    clients: 8_000,
    channels: 1_000,
  },
  {
    ...DEFAULTS,
    name: 'filter-1',
    title: '1,000 clients with a filter() of their own, 1 event a turn',
    peers: ['nest', 'ours'],
    filtered: true,
  },
  {
    ...DEFAULTS,
    name: 'filter-10',
    title: '1,000 clients with a filter() of their own, 10 events a turn',
    peers: ['nest', 'ours'],
    filtered: true,
    burst: 10,
  },
  {
    ...DEFAULTS,
    name: 'latency',
    title: '1,000 clients, 50 events/s: from publish to read',
    kind: 'latency',
    durationMs: 4_000,
  },
  {
    ...DEFAULTS,
    name: 'memory',
    title: 'Memory of an idle connection (4,000 clients)',
    kind: 'memory',
    clients: 4_000,
  },
  ...(['express', 'fastify'] as const).map((platform) => ({
    ...DEFAULTS,
    name: `connect-${platform}`,
    title: `Opening a stream, with Nest on ${platform === 'express' ? 'Express' : 'Fastify'}`,
    kind: 'connect' as const,
    peers: ['floor', 'nest', 'ours'] as const,
    clients: 500,
    platform,
  })),
  ...GROWTH.map((clients) => ({
    ...DEFAULTS,
    name: `growth-${clients}`,
    title: `Growth: ${clients.toLocaleString('en')} clients, 1 event a turn`,
    peers: ['floor', 'nest', 'ours'] as const,
    clients,
  })),
  {
    ...DEFAULTS,
    name: 'idle-18000',
    title: '18,000 idle connections, heartbeat every 15 s',
    kind: 'idle',
    peers: ['floor', 'nest', 'better-sse', 'ours'],
    clients: 18_000,
    heartbeat: 15_000,
    durationMs: 30_000,
    maxRounds: 1,
  },
];

/** The same with small numbers for a continuous-integration machine: what arrives counts, not how fast. */
export const QUICK_CASES: readonly Case[] = CASES.filter(
  ({ name }) => !name.startsWith('growth') || name === 'growth-16',
).map((full) => ({
  ...full,
  title: `${full.name}, reduced`,
  peers: full.name === 'burst-10' ? full.peers : ['ours'],
  clients: Math.min(full.clients, full.channels > 1 ? 400 : 200),
  channels: full.channels > 1 ? 50 : 1,
  durationMs: full.kind === 'idle' ? 2_000 : 400,
  warmUpMs: 100,
  heartbeat: full.heartbeat > 0 ? 500 : 0,
}));
