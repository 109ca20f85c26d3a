import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { metric, type Report } from '../../bench/report/results.js';
import { projectRoot } from '../support/project-root.js';
import { read } from './markdown.js';

const BEGIN =
  '<!-- prettier-ignore-start -->\n<!-- performance: see test/docs/fill-performance.ts -->';
const END = '<!-- prettier-ignore-end -->';

const INTRODUCTION = `\`npm run bench\` measures this module in a Nest application beside plain Nest \`@Sse()\`, \`better-sse\`, nginx with nchan, and
the floor of what a Node socket can do, all in one run. It writes \`docs/bench.json\` and draws
[docs/bench.svg](docs/bench.svg). \`npm run bench -- --quick\` takes a minute. \`npm run bench -- --case connect --output <folder>\`
measures what opening a stream costs, on Express and on Fastify, and \`--case http\` events over HTTPS and HTTP/2.
\`npm run bench:turns\` measures the longest turn of the event loop, and \`npm run bench:requests\` what a request costs by the
\`Last-Event-ID\` that it sends.`;

type Name =
  'cpuPerEvent' | 'cpuPerOpening' | 'eventsPerSecond' | 'latencyP99' | 'heapPerConnection';

/** What the README compares, and whether more is better. */
const ROWS: readonly { title: string; case: string; metric: Name; more?: true }[] = [
  { title: '1,000 clients, 1 event a turn: CPU per event', case: 'burst-1', metric: 'cpuPerEvent' },
  {
    title: '1,000 clients, 10 events a turn: events/s',
    case: 'burst-10',
    metric: 'eventsPerSecond',
    more: true,
  },
  {
    title: '8,000 clients, 10 events a turn: events/s',
    case: 'clients-8000',
    metric: 'eventsPerSecond',
    more: true,
  },
  {
    title: 'a `filter()` for each of 1,000 clients: CPU per event',
    case: 'filter-1',
    metric: 'cpuPerEvent',
  },
  { title: '1,000 clients, 50 events/s: p99 latency', case: 'latency', metric: 'latencyP99' },
  {
    title: 'opening a stream on Express: CPU',
    case: 'connect-express',
    metric: 'cpuPerOpening',
  },
  {
    title: 'opening a stream on Fastify: CPU',
    case: 'connect-fastify',
    metric: 'cpuPerOpening',
  },
  { title: 'heap of an idle connection', case: 'memory', metric: 'heapPerConnection' },
];

const PEERS = [
  ['plain Nest', 'nest'],
  ['better-sse', 'better-sse'],
  ['nginx + nchan', 'nchan'],
  ['the floor', 'floor'],
] as const;

/** The README's words about a report, or about there being none yet. */
export function performanceOf(report: Report | undefined): string {
  return [BEGIN, '', INTRODUCTION, ...(report ? ['', ...measured(report)] : []), '', END].join(
    '\n',
  );
}

/** The report that the benchmark has written, if it has. */
export function lastReport(): Report | undefined {
  const path = join(projectRoot, 'docs/bench.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Report) : undefined;
}

/** The README's section as it is. */
export function section(): string {
  const text = read('README.md');
  return text.slice(text.indexOf(BEGIN), text.indexOf(END) + END.length);
}

function measured(report: Report): string[] {
  const { results, machine, rounds, date } = report;
  const ratio = (row: (typeof ROWS)[number], peer: (typeof PEERS)[number][1]): string => {
    const ours = metric(results, row.case, 'ours', row.metric);
    const theirs = metric(results, row.case, peer, row.metric);
    return ours === undefined || theirs === undefined
      ? ''
      : `${shown(ours / theirs)}${row.more ? ' ×' : ''}`;
  };
  const rows = ROWS.map((row) => [row.title, ...PEERS.map(([, peer]) => ratio(row, peer))]).filter(
    ([, ...ratios]) => ratios.some((cell) => cell !== ''),
  );
  const idle = metric(results, 'idle-18000', 'ours', 'idleCpu');
  const growth = (peer: (typeof PEERS)[number][1] | 'ours'): number | undefined => {
    const few = metric(results, 'growth-1000', peer, 'cpuPerEvent');
    const many = metric(results, 'growth-16000', peer, 'cpuPerEvent');
    return few === undefined || many === undefined ? undefined : many / few;
  };
  const [ours, floor] = [growth('ours'), growth('floor')];
  const more = [
    idle === undefined
      ? undefined
      : `18,000 idle connections with a heartbeat every 15 s take ${(idle * 100).toFixed(1)} % of a core.`,
    ours === undefined || floor === undefined
      ? undefined
      : `From 1,000 to 16,000 clients the cost per event grows by the factor ${shown(ours)}, that of the floor by ${shown(floor)}.`,
  ].filter((sentence) => sentence !== undefined);
  return [
    `Ratios of this module to the others, medians of ${rounds} runs on ${machine.cores} cores of ${machine.cpu}, Node`,
    `${machine.node.slice(1)}, on ${date.slice(0, 10)}. For CPU, latency and heap less is better, for events/s more:`,
    '',
    `| | ${PEERS.map(([title]) => title).join(' | ')} |`,
    `| - | ${PEERS.map(() => '-:').join(' | ')} |`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    ...(more.length > 0 ? ['', more.join(' ')] : []),
    '',
    '![Events per second and CPU per event of this module and its peers](docs/bench.svg)',
  ];
}

function shown(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio >= 2 ? ratio.toFixed(1) : ratio.toFixed(2);
}
