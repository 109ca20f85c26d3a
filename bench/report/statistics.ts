import { median } from './median.js';
import type { Metrics } from '../measure.js';

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
