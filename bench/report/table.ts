import { PEERS } from '../servers/index.js';
import { metric } from './results.js';
import type { Calibration } from '../calibrate.js';
import type { Case, CaseKind } from '../cases.js';
import type { Metrics } from '../measure.js';
import type { PeerName } from '../servers/index.js';
import type { Report, Result, Verdict } from './results.js';

interface Column {
  readonly title: string;
  readonly metric: keyof Metrics;
  readonly format: (value: number) => string;
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const fixed = (digits: number) => (value: number) => value.toFixed(digits);
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
const kilobytes = (value: number): string => `${(value / 1_024).toFixed(1)} KB`;

/** A server that uses less of its core than this was kept from working. */
const BUSY = 0.75;

const LOAD: Column = { title: 'load CPU', metric: 'loadCpu', format: percent };

const SERVER: Column = { title: 'server CPU', metric: 'serverCpu', format: percent };

const EVENTS: readonly Column[] = [
  { title: 'events/s', metric: 'eventsPerSecond', format: whole },
  { title: 'CPU µs/event', metric: 'cpuPerEvent', format: fixed(2) },
  { title: 'events/write', metric: 'eventsPerWrite', format: fixed(1) },
  { title: 'loop p99 ms', metric: 'loopDelayP99', format: fixed(1) },
];

/** The columns of each kind of case; the first is the one whose ratio is shown. */
const COLUMNS: Record<CaseKind, readonly Column[]> = {
  saturate: [...EVENTS, SERVER, LOAD],
  latency: [
    { title: 'p99 ms', metric: 'latencyP99', format: fixed(1) },
    { title: 'p50 ms', metric: 'latencyP50', format: fixed(1) },
    { title: 'rate kept', metric: 'rateKept', format: percent },
    ...EVENTS.slice(1),
    SERVER,
    LOAD,
  ],
  memory: [
    { title: 'heap', metric: 'heapPerConnection', format: kilobytes },
    { title: 'RSS', metric: 'rssPerConnection', format: kilobytes },
    { title: 'connections/s', metric: 'connectionsPerSecond', format: whole },
  ],
  connect: [
    { title: 'CPU µs/stream', metric: 'cpuPerOpening', format: whole },
    { title: 'with its end', metric: 'cpuPerStream', format: whole },
    { title: 'first 500', metric: 'cpuPerFirstOpening', format: whole },
    { title: 'streams/s', metric: 'connectionsPerSecond', format: whole },
  ],
  idle: [
    { title: 'CPU', metric: 'idleCpu', format: percent },
    { title: 'bytes/client', metric: 'idleBytes', format: fixed(0) },
    LOAD,
  ],
};

function render(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function ratio(
  results: readonly Result[],
  bench: Case,
  name: keyof Metrics,
  peer: PeerName,
): string {
  const ours = metric(results, bench.name, 'ours', name);
  const theirs = metric(results, bench.name, peer, name);
  return ours === undefined || theirs === undefined || peer === 'ours'
    ? ''
    : `${(ours / theirs).toFixed(2)} ×`;
}

function renderCase(report: Report, bench: Case): string {
  const columns = COLUMNS[bench.kind];
  const head = ['', ...columns.map(({ title }) => title)];
  const compared = columns.slice(0, ['saturate', 'connect'].includes(bench.kind) ? 2 : 1);
  const rows = [[...head, ...compared.map(({ title }) => `ours: ${title}`), '']];
  for (const result of report.results.filter((one) => one.case === bench.name)) {
    rows.push([
      PEERS[result.peer],
      ...columns.map((column) => {
        const value = result.median[column.metric];
        return value === undefined ? '–' : column.format(value);
      }),
      ...compared.map((column) => ratio(report.results, bench, column.metric, result.peer)),
      result.faults.join('; '),
    ]);
  }
  return rows.length > 1 ? `${bench.title}\n${render(rows)}\n` : '';
}

function renderTargets(targets: readonly Verdict[]): string {
  if (targets.length === 0) return '';
  const rows = targets.map(({ title, against, limit, value, met }) => [
    title,
    against,
    limit,
    value.toFixed(2),
    met ? '✓' : '✗',
  ]);
  return `Targets\n${render([['', 'against', 'aim', 'ratio', ''], ...rows])}\n`;
}

/** The line that shows whether the load was the bottleneck. */
export function loadProof(report: Pick<Report, 'calibration' | 'cases' | 'results'>): string {
  const saturated = report.cases.filter(({ kind }) => kind === 'saturate');
  const fastest = (burst: number): number =>
    Math.max(
      0,
      ...report.results
        .filter((result) =>
          saturated.some((bench) => bench.name === result.case && bench.burst === burst),
        )
        .map((result) => result.median.eventsPerSecond ?? 0),
    );
  const busiest = Math.max(0, ...report.results.map((result) => result.median.loadCpu ?? 0));
  const lines = report.calibration.map(
    ({ burst, eventsPerSecond }: Calibration) =>
      `${whole(eventsPerSecond)} events/s at burst ${burst} (fastest server: ${whole(fastest(burst))})`,
  );
  return `Load alone reads ${lines.join(', ')}; it used at most ${percent(busiest)} of its core.`;
}

/**
 * Names the runs in which other processes took the server's core, so that their
 * events/s are not what the server is capable of. CPU per event still is.
 */
export function disturbances(report: Pick<Report, 'cases' | 'results'>): string {
  const names = report.results
    .filter(
      (result) =>
        report.cases.some(({ name, kind }) => name === result.case && kind === 'saturate') &&
        (result.median.serverCpu ?? 1) < BUSY,
    )
    .map((result) => `${result.case}/${result.peer}`);
  return names.length === 0
    ? ''
    : `Not saturated (server below ${percent(BUSY)} of its core; another process had it, or the load did not keep up): ${names.join(', ')}. Take CPU per event there, not events/s.`;
}

/** The report as text. */
export function renderReport(report: Report): string {
  return [
    ...report.cases.map((bench) => renderCase(report, bench)),
    renderTargets(report.targets),
    disturbances(report) === '' ? '' : `${disturbances(report)}\n`,
    report.calibration.length > 0 ? `${loadProof(report)}\n` : '',
  ]
    .filter((part) => part !== '')
    .join('\n');
}
