import type { Report } from '../../bench/report/results.js';
import type { SizingReport, Stack } from '../../bench/sizing/results.js';
import { read } from './markdown.js';
import { ours, shown, type Measurements, type PostgresReport } from './measurements.js';
import { exampleOf } from './sizing-example.js';

export const SIZING_DOCUMENT = 'docs/operating.md';

const BEGIN = '<!-- prettier-ignore-start -->\n<!-- sizing: see test/docs/fill-sizing.ts -->';
const END = '<!-- prettier-ignore-end -->';

/** The page's section as it is. */
export function sizingSection(): string {
  const text = read(SIZING_DOCUMENT);
  return text.slice(text.indexOf(BEGIN), text.indexOf(END) + END.length);
}

/** The page's section as the measurements have it. */
export function sizingOf(measured: Measurements): string {
  const parts = [
    sources(measured),
    cpuTable(measured.bench),
    connectionTable(measured.sizing),
    memory(measured.sizing),
    redisTable(measured),
    eventTable(measured.postgres),
    ...exampleOf(measured),
  ];
  return [BEGIN, ...parts, END].join('\n\n');
}

/** The CPU of an event for a client in a case, in microseconds. */
const CPU_CASES = [
  ['1,000 clients, 1 event a turn', 'burst-1'],
  ['1,000 clients, 10 events a turn', 'burst-10'],
  ['8,000 clients, 10 events a turn', 'clients-8000'],
  ['16,000 clients, 1 event a turn', 'growth-16000'],
  ['1,000 channels with 8 clients each, 1 event a turn on each', 'channels-1000'],
  ['1,000 clients with a `filter()` each, 1 event a turn', 'filter-1'],
] as const;

const STACKS: readonly (readonly [string, Stack])[] = [
  ['Express', 'express'],
  ['Fastify', 'fastify'],
  ['Fastify, HTTPS', 'https'],
  ['Fastify, HTTP/2', 'http2'],
];

function sources({ bench, sizing, redis, postgres }: Measurements): string {
  const of = (machine: string, date: string): string => `on ${machine}, ${date.slice(0, 10)}`;
  const described = ({ machine: { cores, cpu, node }, date }: Report | SizingReport): string =>
    of(`${cores} × ${cpu}, Node ${node}`, date);
  return [
    `Measured by \`npm run bench\` (${described(bench)}),`,
    `\`npm run bench:sizing\` (${described(sizing)}),`,
    `\`npm run bench:redis\` (${of(redis.machine, redis.date)})`,
    `and \`npm run bench:postgres\` (${of(postgres.machine, postgres.date)}).`,
  ].join('\n');
}

function cpuTable(bench: Report): string {
  const rows = CPU_CASES.map(([title, name]) => {
    const cost = ours(bench, name, 'cpuPerEvent');
    return `| ${title} | ${shown(cost)} µs | ${shown(1e6 / cost)} |`;
  });
  return [
    '| Events of 100 bytes over HTTP/1.1 | CPU for an event to a client | Deliveries per core and second |',
    '| - | -: | -: |',
    ...rows,
    '',
    `1,000 idle connections with a heartbeat every 15 s take ${shown((ours(bench, 'idle-18000', 'idleCpu') / 18) * 100)} % of a core.`,
  ].join('\n');
}

function connectionTable({ connections }: SizingReport): string {
  const row = (title: string, of: (stack: Stack) => string): string =>
    `| ${title} | ${STACKS.map(([, stack]) => of(stack)).join(' | ')} |`;
  return [
    `| | ${STACKS.map(([title]) => title).join(' | ')} |`,
    `| - | ${STACKS.map(() => '-:').join(' | ')} |`,
    row('Memory of an idle connection', (stack) => kilobytes(connections[stack].rss)),
    row('of that in the heap', (stack) => kilobytes(connections[stack].heap)),
    row('CPU for opening a stream', (stack) => `${shown(connections[stack].cpuPerOpening)} µs`),
    row('Streams opened per core and second', (stack) =>
      shown(1e6 / connections[stack].cpuPerOpening),
    ),
  ].join('\n');
}

function kilobytes(bytes: number): string {
  return `${shown(bytes / 1_000)} kB`;
}

function memory({ channels: { channel, event100, event1000 } }: SizingReport): string {
  return (
    `A channel takes ${kilobytes(channel)} of heap. A retained event takes ${shown(event100 - 100)} bytes beside data of 100 bytes, ` +
    `and ${shown(event1000 - 1_000)} beside data of 1,000;\n` +
    'data that is not latin1 takes two bytes for each character.'
  );
}

function redisTable({ sizing: { redis: loads }, redis }: Measurements): string {
  const keys = redis.results.keys;
  const micros = (part: number): string => `${shown((part * 1e6) / 10_000)} µs`;
  const sent = (title: string, kind: 'single' | 'burst'): string[] => {
    const one = loads[`${kind}-1`];
    const three = loads[`${kind}-3`];
    const more = Math.max(0, (three.redis - one.redis) / 2);
    const bytes = (three.redisOutput - one.redisOutput) / 2;
    return [
      `| ${title} | ${shown(one.redis)} µs | ${shown(one.sender)} µs | ${shown(one.receiver)} µs |`,
      `| the same for each further instance that reads the channel | ${shown(more)} µs, ${shown(bytes)} bytes out | | ${shown(three.receiver)} µs |`,
    ];
  };
  return [
    "| With `broker: 'redis'`, CPU for each event of 100 bytes | Redis | Sender | Each reader |",
    '| - | -: | -: | -: |',
    ...sent('sent alone', 'single'),
    ...sent('sent with 19 others in a turn', 'burst'),
    `| a key that is polled, for each poll | ${micros(keys.redis)} | | ${micros(keys.instance)} |`,
    '',
    `One instance takes up to ${shown(redis.results.receiving.perSecond)} events a second of a channel from Redis.`,
  ].join('\n');
}

function eventTable({ results }: PostgresReport): string {
  return (
    `With the event table an idle instance asks Postgres ${shown(results['idle statements per second'])} statements a second. ` +
    `A client that returns reads its history at ${shown(results['catch-up in events per second'].client)} events\na second. ` +
    '[What it costs a writer](postgres.md#what-it-costs-a-writer), and [disk and vacuum](operating-postgres.md#sizing).'
  );
}
