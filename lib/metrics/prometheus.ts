import type { Histogram, Labels } from '../channel/histogram.js';
import type { Instrument, Numbers } from './instrument.js';

/** The media type of what `SseService.metrics()` returns: set it as the `Content-Type` of the answer. */
export const SSE_METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What Prometheus names have at their ends for units, as OpenTelemetry maps them. */
const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/**
 * The name of a metric at Prometheus, as OpenTelemetry derives it.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
export function prometheusName({ name, unit, kind }: Instrument): string {
  const total = kind === 'counter' ? '_total' : '';
  return `${underscored(name)}${UNITS[unit] ?? ''}${total}`;
}

/**
 * Writes all metrics in Prometheus' text format.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function prometheusText(instruments: readonly Instrument[], numbers: Numbers): string {
  let text = '';
  for (const instrument of instruments) {
    const lines = linesOf(instrument, numbers);
    if (lines !== '') {
      const name = prometheusName(instrument);
      const type = TYPES[instrument.kind];
      text += `# HELP ${name} ${instrument.help}\n# TYPE ${name} ${type}\n${lines}`;
    }
  }
  return text;
}

const TYPES = {
  counter: 'counter',
  updowncounter: 'gauge',
  gauge: 'gauge',
  histogram: 'histogram',
} as const;

function linesOf(instrument: Instrument, numbers: Numbers): string {
  const name = prometheusName(instrument);
  let lines = '';
  if (instrument.kind === 'histogram') {
    const { bounds, parts } = instrument.family(numbers);
    for (const part of parts) {
      lines += histogramLines(name, bounds, part);
    }
  } else {
    for (const { value, labels } of instrument.read(numbers)) {
      lines += line(name, labels, value);
    }
  }
  return lines;
}

function histogramLines(
  name: string,
  bounds: readonly number[],
  { counts, sum, labels }: Histogram,
): string {
  let lines = '';
  let count = 0;
  counts.forEach((inBucket, index) => {
    count += inBucket;
    lines += line(`${name}_bucket`, { ...labels, le: String(bounds[index] ?? '+Inf') }, count);
  });
  return lines + line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, count);
}

/** Values of labels are names of ours: there is nothing in them to be escaped. */
function line(name: string, labels: Labels = {}, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${underscored(label)}="${text}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}\n`;
}

function underscored(name: string): string {
  return name.replaceAll('.', '_');
}
