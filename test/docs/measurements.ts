import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metrics } from '../../bench/measure.js';
import { metric, type Report } from '../../bench/report/results.js';
import type { SizingReport } from '../../bench/sizing/results.js';
import { projectRoot } from '../support/project-root.js';

/** All measurements that the page takes its numbers from. */
export interface Measurements {
  readonly bench: Report;
  readonly sizing: SizingReport;
  readonly redis: RedisReport;
  readonly postgres: PostgresReport;
}

/** What the page reads of docs/bench-redis.json. */
export interface RedisReport {
  readonly machine: string;
  readonly date: string;
  readonly results: {
    readonly receiving: { readonly perSecond: number };
    /** Parts of a core for 10,000 keys that are polled once a second. */
    readonly keys: { readonly instance: number; readonly redis: number };
  };
}

/** What the page reads of docs/bench-postgres.json. */
export interface PostgresReport {
  readonly machine: string;
  readonly date: string;
  readonly results: {
    readonly 'idle statements per second': number;
    readonly 'catch-up in events per second': { readonly client: number };
  };
}

function json<T>(name: string): T {
  return JSON.parse(readFileSync(join(projectRoot, 'docs', name), 'utf8')) as T;
}

/** What the benchmarks have written last. */
export function measurements(): Measurements {
  return {
    bench: json('bench.json'),
    sizing: json('bench-sizing.json'),
    redis: json('bench-redis.json'),
    postgres: json('bench-postgres.json'),
  };
}

/**
 * Our result in a case of `npm run bench`.
 * @throws Error where it was not measured
 */
export function ours(bench: Report, name: string, of: keyof Metrics): number {
  const value = metric(bench.results, name, 'ours', of);
  if (value === undefined) throw new Error(`docs/bench.json has no ${of} of ${name}.`);
  return value;
}

/** A number with two digits that count, such as 4.1, 240 or 1,300,000. */
export function shown(value: number): string {
  const rounded = Number(value.toPrecision(2));
  return rounded.toLocaleString('en-US', { maximumFractionDigits: 10 });
}
