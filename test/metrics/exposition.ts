/** A sample of Prometheus' text format. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with its samples. */
export interface ParsedMetric {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${NAME}) (\\S.*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary|untyped)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const PAIR = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== '';) {
    const [whole, name, value] = PAIR.exec(rest) ?? [];
    if (whole === undefined) throw new Error(`No label: ${rest}`);
    if (Object.hasOwn(labels, name!)) throw new Error(`The label ${name} is there twice: ${text}`);
    labels[name!] = value!.replace(/\\(["\\n])/g, (_, c: string) => (c === 'n' ? '\n' : c));
    rest = rest.slice(whole.length);
  }
  return labels;
}

function numberOf(text: string): number {
  const value = text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
  if (Number.isNaN(value) && text !== 'NaN') throw new Error(`No number: ${text}`);
  return value;
}

/**
 * Parses Prometheus' text format 0.0.4, more strictly than Prometheus: each metric is one group with a HELP
 * and a TYPE, no series is there twice, and histograms are complete and rise.
 * @throws Error for any other text
 */
export function parseExposition(text: string): Map<string, ParsedMetric> {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.');
  const metrics = new Map<string, { type: string; help: string; samples: ParsedSample[] }>();
  let current: { name: string; metric: { type: string; help: string; samples: ParsedSample[] } };
  let help: { name: string; text: string } | undefined;
  const series = new Set<string>();
  for (const line of text
    .slice(0, -1)
    .split('\n')
    .filter((each) => each !== '')) {
    const [, helpName, helpText] = HELP.exec(line) ?? [];
    const [, typeName, type] = TYPE.exec(line) ?? [];
    if (helpName !== undefined) {
      help = { name: helpName, text: helpText! };
    } else if (typeName !== undefined) {
      if (help?.name !== typeName) throw new Error(`No HELP before: ${line}`);
      if (metrics.has(typeName)) throw new Error(`The metric is there twice: ${line}`);
      current = { name: typeName, metric: { type: type!, help: help.text, samples: [] } };
      metrics.set(typeName, current.metric);
    } else {
      const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
      if (name === undefined) throw new Error(`No sample: ${line}`);
      const base =
        current!.metric.type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
      if (base !== current!.name) throw new Error(`Not of the metric ${current!.name}: ${line}`);
      if (series.has(`${name}{${labels}}`)) throw new Error(`The series is there twice: ${line}`);
      series.add(`${name}{${labels}}`);
      current!.metric.samples.push({ name, labels: labelsOf(labels), value: numberOf(value!) });
    }
  }
  for (const [name, { type, samples }] of metrics) {
    if (samples.length === 0) throw new Error(`The metric ${name} has no samples.`);
    if (type === 'histogram') checkHistogram(name, samples);
    if (type === 'counter' && !name.endsWith('_total'))
      throw new Error(`No name of a counter: ${name}`);
  }
  return metrics;
}

function checkHistogram(name: string, samples: readonly ParsedSample[]): void {
  const keyOf = ({ labels: { le: _, ...labels } }: ParsedSample) => JSON.stringify(labels);
  for (const key of new Set(samples.map(keyOf))) {
    const of = samples.filter((sample) => keyOf(sample) === key);
    const buckets = of.filter((sample) => sample.name === `${name}_bucket`);
    const counts = of.filter((sample) => sample.name === `${name}_count`);
    const sums = of.filter((sample) => sample.name === `${name}_sum`);
    const bounds = buckets.map(({ labels }) => numberOf(labels['le']!));
    const rises = (values: readonly number[], least: number) =>
      values.every((value, index) => index === 0 || value - values[index - 1]! >= least);
    const isComplete = counts.length === 1 && sums.length === 1 && bounds.at(-1) === Infinity;
    if (!isComplete || buckets.at(-1)!.value !== counts[0]!.value) {
      throw new Error(`The histogram ${name}${key} is not complete.`);
    }
    if (
      !rises(bounds, Number.MIN_VALUE) ||
      !rises(
        buckets.map(({ value }) => value),
        0,
      )
    ) {
      throw new Error(`The buckets of ${name}${key} do not rise.`);
    }
  }
}

/** The value of the one sample with these labels; 0 when there is none. */
export function valueOf(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const samples = [...parseExposition(text).values()].flatMap((metric) => metric.samples);
  const found = samples.filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  return found.reduce((sum, { value }) => sum + value, 0);
}
