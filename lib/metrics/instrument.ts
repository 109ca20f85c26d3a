import type { HistogramFamily, Labels } from '../channel/histogram.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Presence } from '../presence/presence.js';
import type { Runs } from '../runs/runs.js';
import type { SseSources } from '../setup/sse-sources.js';

/** Where the numbers of an application are. */
export interface Numbers {
  readonly delivery: Delivery;
  readonly sources: SseSources;
  readonly runs: Runs;
  readonly presence: Presence;
}

/** A number with what tells it from the others of its metric. */
export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

interface Described {
  /** As OpenTelemetry's conventions write names: with dots, and without the unit. */
  readonly name: string;
  /** As UCUM writes it: `s`, `By`, or what is counted, in braces. */
  readonly unit: string;
  /** What it counts, in a line. */
  readonly help: string;
  /** All values that each label may have. Nothing that anybody else gives may be one. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** A metric that is read when somebody asks for it. */
export interface NumberInstrument extends Described {
  /**
   * - `counter`: only grows
   * - `updowncounter`: how many there are at the moment, which may be added up over instances
   * - `gauge`: a value at the moment, which may not
   */
  readonly kind: 'counter' | 'updowncounter' | 'gauge';
  /** Reads the present values; none where the application has no such thing. */
  readonly read: (numbers: Numbers) => Iterable<Sample>;
}

/** A metric of how many values fell where. */
export interface HistogramInstrument extends Described {
  readonly kind: 'histogram';
  readonly family: (numbers: Numbers) => HistogramFamily;
}

export type Instrument = NumberInstrument | HistogramInstrument;

type NumberKind = NumberInstrument['kind'];

/** A metric with one value. */
export function single(
  kind: NumberKind,
  name: string,
  unit: string,
  help: string,
  value: (numbers: Numbers) => number | undefined,
): NumberInstrument {
  const read = (numbers: Numbers): Sample[] => {
    const found = value(numbers);
    return found === undefined ? [] : [{ value: found }];
  };
  return { kind, name, unit, help, labels: {}, read };
}

/** A metric with a value for each of a closed set of names. */
export function byLabel<Name extends string>(
  kind: NumberKind,
  name: string,
  unit: string,
  help: string,
  [label, names]: readonly [label: string, names: readonly Name[]],
  value: (numbers: Numbers, name: Name) => number,
): NumberInstrument {
  const read = (numbers: Numbers): Sample[] =>
    names.map((each) => ({ value: value(numbers, each), labels: { [label]: each } }));
  return { kind, name, unit, help, labels: { [label]: names }, read };
}

export function histogram(
  name: string,
  unit: string,
  help: string,
  labels: Described['labels'],
  family: (numbers: Numbers) => HistogramFamily,
): HistogramInstrument {
  return { kind: 'histogram', name, unit, help, labels, family };
}
