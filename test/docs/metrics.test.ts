import { describe, expect, it } from '@jest/globals';
import { INSTRUMENTS } from '../../lib/metrics/instruments.js';
import { prometheusName } from '../../lib/metrics/prometheus.js';
import { labelRows, metricRows } from './metric-tables.js';
import { read, tableUnder } from './markdown.js';

describe('docs/metrics.md', () => {
  it('lists each metric as the code declares it, in its order', () => {
    expect(tableUnder('docs/metrics.md', 'All metrics')).toEqual(metricRows());
  });

  it('lists each label with all its values', () => {
    expect(tableUnder('docs/metrics.md', 'Labels')).toEqual(labelRows());
  });

  it('names no metric that does not exist', () => {
    const known = new Set(
      INSTRUMENTS.map(prometheusName).flatMap((name) =>
        ['', '_bucket', '_sum', '_count'].map((end) => name + end),
      ),
    );
    const labels = new Set(
      INSTRUMENTS.flatMap((each) => Object.keys(each.labels)).map((l) => l.replaceAll('.', '_')),
    );
    const named = [...read('docs/metrics.md').matchAll(/\b(?:sse|error)_[a-z_]+\b/g)].map(
      ([name]) => name,
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.has(name) && !labels.has(name))).toEqual([]);
  });
});
