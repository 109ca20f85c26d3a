import { INSTRUMENTS } from '../../lib/metrics/instruments.js';
import { prometheusName } from '../../lib/metrics/prometheus.js';
import type { Row } from './markdown.js';

const code = (text: string): string => `\`${text}\``;

/** The table of all metrics, as the code declares them. */
export function metricRows(): Row[] {
  return INSTRUMENTS.map((instrument) => ({
    Metric: code(instrument.name),
    'At Prometheus': code(prometheusName(instrument)),
    Type: instrument.kind,
    Unit: code(instrument.unit),
    Labels: Object.keys(instrument.labels).map(code).join(', '),
    'What it is': instrument.help,
  }));
}

/** The table of all labels. A label has the values of all metrics that have it. */
export function labelRows(): Row[] {
  const values = new Map<string, Set<string>>();
  for (const [label, names] of INSTRUMENTS.flatMap((each) => Object.entries(each.labels))) {
    const known = values.get(label) ?? new Set();
    names.forEach((name) => known.add(name));
    values.set(label, known);
  }
  return [...values].map(([label, names]) => ({
    Label: code(label),
    Values: [...names].map(code).join(', '),
  }));
}
