/** What tells the parts of a metric apart. Each value is one of a closed set, never a text of somebody else. */
export type Labels = Readonly<Record<string, string>>;

/** How many values fell where, and their sum: one part of a `HistogramFamily`. */
export class Histogram {
  /** How many values were at most the bound of the same index and above the one before; then those above all. */
  readonly counts: number[];
  sum = 0;

  constructor(
    private readonly family: HistogramFamily,
    readonly labels: Labels,
  ) {
    this.counts = family.bounds.map(() => 0);
    this.counts.push(0);
  }

  /** Counts a value, in the unit of its metric. */
  record(value: number): void {
    const { bounds, listener } = this.family;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) {
      index++;
    }
    this.counts[index]!++;
    this.sum += value;
    listener?.(value, this.labels);
  }
}

/** A histogram with a part for each set of labels that has occurred. */
export class HistogramFamily {
  private readonly byKey = new Map<string, Histogram>();
  /** Is told of each value. It must not throw. */
  listener: ((value: number, labels: Labels) => void) | undefined;

  /** @param bounds the upper bounds of the buckets, in rising order, without infinity */
  constructor(readonly bounds: readonly number[]) {}

  /** The part with these labels, in the order in which the metric names them. */
  of(labels: Labels = NONE): Histogram {
    const key = Object.values(labels).join(' ');
    let part = this.byKey.get(key);
    if (!part) {
      this.byKey.set(key, (part = new Histogram(this, labels)));
    }
    return part;
  }

  /** All parts, in the order in which they occurred. */
  get parts(): IterableIterator<Histogram> {
    return this.byKey.values();
  }
}

const NONE: Labels = {};
