import { GROWTH } from '../cases.js';
import { PEERS } from '../servers/index.js';
import { metric } from './results.js';
import type { Metrics } from '../measure.js';
import type { PeerName } from '../servers/index.js';
import type { Report, Result } from './results.js';

/** Lengths in SVG units. */
const PANEL_WIDTH = 470;
const PANEL_HEIGHT = 232;
const GAP = 20;
const LABEL_WIDTH = 192;
const VALUE_WIDTH = 70;
const BAR_HEIGHT = 18;
const ROW_HEIGHT = 28;
const HEAD_HEIGHT = 62;
const FOOT_HEIGHT = 34;

/** Colours follow the reader's scheme; ours is set apart, the floor is the yardstick. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 18px; font-weight: 600; }
  .panel { font-size: 14px; font-weight: 600; }
  .note { fill: #59636e; font-size: 11px; }
  .page { fill: #ffffff; }
  .bar, .dot { fill: #8c959f; } .floor { fill: #bf8700; } .ours { fill: #0969da; }
  .line { fill: none; stroke: #8c959f; stroke-width: 2; }
  .line.floor { fill: none; stroke: #bf8700; } .line.ours { fill: none; stroke: #0969da; }
  .axis { stroke: #d1d9e0; stroke-width: 1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .note { fill: #9198a1; } .page { fill: #0d1117; }
    .bar, .dot { fill: #656c76; } .floor { fill: #d29922; } .ours { fill: #4493f8; }
    .line { stroke: #656c76; } .line.floor { stroke: #d29922; } .line.ours { stroke: #4493f8; }
    .axis { stroke: #3d444d; }
  }`;

interface Panel {
  readonly title: string;
  readonly note: string;
  readonly case: string;
  readonly metric: keyof Metrics;
  readonly format: (value: number) => string;
}

const thousands = (value: number): string => `${Math.round(value / 1_000).toLocaleString('en')}k`;
const kilobytes = (value: number): string => `${(value / 1_024).toFixed(1)} KB`;
const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
const micros = (value: number): string => `${value.toFixed(2)} µs`;

const PANELS: readonly Panel[] = [
  {
    title: 'CPU per delivered event',
    note: '1,000 clients, 1 event a turn: less is better',
    case: 'burst-1',
    metric: 'cpuPerEvent',
    format: micros,
  },
  {
    title: 'Events per second',
    note: '1,000 clients, 10 events a turn: more is better',
    case: 'burst-10',
    metric: 'eventsPerSecond',
    format: thousands,
  },
  {
    title: 'Events per second',
    note: '8,000 clients, 10 events a turn: more is better',
    case: 'clients-8000',
    metric: 'eventsPerSecond',
    format: thousands,
  },
  {
    title: 'Latency, 99th percentile',
    note: '1,000 clients, 50 events/s, publish to read: less is better',
    case: 'latency',
    metric: 'latencyP99',
    format: milliseconds,
  },
  {
    title: 'Memory of an idle connection',
    note: 'V8 heap (nchan: resident): less is better',
    case: 'memory',
    metric: 'heapPerConnection',
    format: kilobytes,
  },
];

function escape(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function text(x: number, y: number, content: string, className = '', anchor = 'start'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" class="${className}" text-anchor="${anchor}">${escape(content)}</text>`;
}

function valueOf(panel: Panel, result: Result): number | undefined {
  return (
    result.median[panel.metric] ??
    (panel.metric === 'heapPerConnection' ? result.median.rssPerConnection : undefined)
  );
}

function drawBars(panel: Panel, results: readonly Result[]): string {
  const rows = results
    .filter((result) => result.case === panel.case)
    .map((result) => ({ peer: result.peer, value: valueOf(panel, result) }))
    .filter((row): row is { peer: PeerName; value: number } => row.value !== undefined);
  if (rows.length === 0) return '';
  const most = Math.max(...rows.map(({ value }) => value));
  const room = PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const bars = rows.map(({ peer, value }, row) => {
    const y = 48 + row * ROW_HEIGHT;
    const width = Math.max(1, (value / most) * room);
    return [
      text(LABEL_WIDTH - 8, y + 13, PEERS[peer], '', 'end'),
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" class="bar ${peer}"/>`,
      text(LABEL_WIDTH + width + 6, y + 13, panel.format(value)),
    ].join('');
  });
  return [text(0, 14, panel.title, 'panel'), text(0, 32, panel.note, 'note'), ...bars].join('\n');
}

/** CPU per event over the number of clients, as one line a peer on a logarithmic axis of clients. */
function drawGrowth(results: readonly Result[]): string {
  const lines = (['floor', 'nest', 'ours'] as const)
    .map((peer) => ({
      peer,
      points: GROWTH.flatMap((clients) => {
        const value = metric(results, `growth-${clients}`, peer, 'cpuPerEvent');
        return value === undefined ? [] : [{ clients, value }];
      }),
    }))
    .filter(({ points }) => points.length > 1);
  if (lines.length === 0) return '';
  const left = 40;
  const right = PANEL_WIDTH - 130;
  const top = 52;
  const bottom = PANEL_HEIGHT - 34;
  const most = Math.max(...lines.flatMap(({ points }) => points.map(({ value }) => value)));
  const first = Math.log(GROWTH[0]);
  const span = Math.log(GROWTH[GROWTH.length - 1]!) - first;
  const x = (clients: number): number =>
    left + ((Math.log(clients) - first) / span) * (right - left);
  const y = (value: number): number => bottom - (value / most) * (bottom - top);
  const axis = [
    `<line x1="${left}" y1="${bottom}" x2="${right}" y2="${bottom}" class="axis"/>`,
    `<line x1="${left}" y1="${top}" x2="${right}" y2="${top}" class="axis"/>`,
    text(left - 6, top + 4, most.toFixed(0), 'note', 'end'),
    text(left - 6, bottom + 4, '0', 'note', 'end'),
    ...GROWTH.map((clients) =>
      text(x(clients), bottom + 16, clients.toLocaleString('en'), 'note', 'middle'),
    ),
  ];
  const drawn = lines.map(({ peer, points }) => {
    return [
      `<polyline class="line ${peer}" points="${points.map((point) => `${x(point.clients).toFixed(1)},${y(point.value).toFixed(1)}`).join(' ')}"/>`,
      ...points.map(
        (point) =>
          `<circle cx="${x(point.clients).toFixed(1)}" cy="${y(point.value).toFixed(1)}" r="3" class="dot ${peer}"/>`,
      ),
    ].join('');
  });
  // Labels stand at the end of their lines, pushed apart where the lines meet.
  const labels = lines
    .map(({ peer, points }) => ({ peer, y: y(points[points.length - 1]!.value) }))
    .sort((a, b) => a.y - b.y);
  labels.forEach((label, index) => {
    const above = labels[index - 1];
    if (above !== undefined) label.y = Math.max(label.y, above.y + 15);
  });
  const names = { floor: 'floor', nest: 'Nest @Sse()', ours: 'nestjs-sse-channels' };
  return [
    text(0, 14, 'CPU per delivered event as clients grow', 'panel'),
    text(0, 32, 'µs over the number of clients, 1 event a turn: flat is better', 'note'),
    ...axis,
    ...drawn,
    ...labels.map((label) => text(right + 8, label.y + 4, names[label.peer], 'note')),
  ].join('\n');
}

/** Draws the report as an SVG that is readable on light and on dark pages. */
export function drawReport(report: Report): string {
  const { results, machine } = report;
  const panels = [...PANELS.map((panel) => drawBars(panel, results)), drawGrowth(results)].filter(
    (panel) => panel !== '',
  );
  const rows = Math.ceil(panels.length / 2);
  const width = 2 * PANEL_WIDTH + 3 * GAP;
  const height = HEAD_HEIGHT + rows * PANEL_HEIGHT + FOOT_HEIGHT;
  const placed = panels.map((panel, index) => {
    const left = GAP + (index % 2) * (PANEL_WIDTH + GAP);
    const top = HEAD_HEIGHT + Math.floor(index / 2) * PANEL_HEIGHT;
    return `<g transform="translate(${left} ${top})">\n${panel}\n</g>`;
  });
  const foot =
    `${report.date.slice(0, 10)}, Node ${machine.node}, ${machine.cpu}, ${machine.pinned ? 'server and load on one core each' : 'not pinned to cores'}, ` +
    `${report.payloadBytes}-byte payloads, medians of ${report.rounds}. Only ratios of one run mean anything.`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    '<title>Benchmark of nestjs-sse-channels beside other servers</title>',
    `<style>${STYLE}</style>`,
    `<rect width="${width}" height="${height}" rx="6" class="page"/>`,
    text(GAP, 32, 'nestjs-sse-channels beside other servers', 'title'),
    ...placed,
    text(GAP, height - 14, foot, 'note'),
    '</svg>',
    '',
  ].join('\n');
}
