import type { Metrics } from '../measure.js';

/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The median of each number over several runs. */
export function medians(runs: readonly Metrics[]): Metrics {
  const names = new Set(runs.flatMap((run) => Object.keys(run) as (keyof Metrics)[]));
  const result: Metrics = {};
  for (const name of names) {
    const values = runs.map((run) => run[name]).filter((value) => value !== undefined);
    result[name] = median(values);
  }
  return result;
}
