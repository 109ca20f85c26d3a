import { describe, expect, it } from '@jest/globals';
import { INSTRUMENTS } from '../../lib/metrics/instruments.js';
import { prometheusName } from '../../lib/metrics/prometheus.js';
import { dashboardExpressions, variableQueries } from '../metrics/dashboard.js';

const NAME = /\bsse_[a-z_]+\b/g;

describe('docs/grafana-dashboard.json', () => {
  const named = [...dashboardExpressions(), ...variableQueries()].flatMap(
    (text) => text.match(NAME) ?? [],
  );
  const ends = { histogram: ['_bucket', '_count', '_sum'] } as Record<string, string[]>;
  const series = INSTRUMENTS.flatMap((each) =>
    (ends[each.kind] ?? ['']).map((end) => prometheusName(each) + end),
  );
  const labels = INSTRUMENTS.flatMap((each) => Object.keys(each.labels));

  it('uses no series and no label that does not exist', () => {
    const known = new Set([...series, ...labels.map((label) => label.replaceAll('.', '_'))]);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it('shows every metric', () => {
    const shown = (instrument: (typeof INSTRUMENTS)[number]) =>
      (ends[instrument.kind] ?? ['']).some((end) =>
        named.includes(prometheusName(instrument) + end),
      );
    expect(INSTRUMENTS.filter((each) => !shown(each)).map(({ name }) => name)).toEqual([]);
  });
});
