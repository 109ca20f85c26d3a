import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SseTestClient } from '../../lib/testing/index.js';
import { openEvents } from '../sample/open-events.js';
import { startSample, type SampleProcess } from '../sample/sample-process.js';
import { until } from '../support/until.js';
import { alertRules, dashboardExpressions } from './dashboard.js';
import { startPrometheus, type Prometheus } from './prometheus.js';

/** What promtool says of a text that it reads; nothing, if it is right. */
function promtool(args: readonly string[], input: string): string {
  const { stdout, stderr, status } = spawnSync(process.env['PROMTOOL']!, args, {
    input,
    encoding: 'utf8',
  });
  return status === 0 ? stderr : `${stdout}${stderr} (${status})`;
}

/** As Grafana fills its variables in. */
const filled = (expression: string): string =>
  expression
    .replaceAll('$job', '.*')
    .replaceAll('$instance', '.*')
    .replaceAll('$__rate_interval', '1m');

describe('Prometheus and the sample', () => {
  let sample: SampleProcess;
  let address: string;
  let stream: SseTestClient;
  let prometheus: Prometheus;

  beforeAll(async () => {
    sample = await startSample();
    address = await sample.address();
    stream = await openEvents(`${address}/events/clock`);
    prometheus = await startPrometheus(address, alertRules());
  });
  afterAll(async () => {
    await stream?.close();
    await prometheus?.stop();
    await sample?.dispose();
  });

  const value = async (expression: string): Promise<number> =>
    Number((await prometheus.query(expression))[0]?.value[1]);

  it('agree about what is open and what is sent', async () => {
    await until(async () => (await value('sse_connection_active')) === 1);
    await stream.take(2);
    await until(async () => (await value('sse_sent_events_total')) >= 2);
    await until(async () => (await value('rate(sse_sent_size_bytes_total[10s])')) > 0);
    await until(async () => (await value('sse_event_table_elected')) === 1);
  });

  it('understand each expression of the dashboard', async () => {
    await until(async () => (await value('sse_connection_active')) === 1);
    const expressions = dashboardExpressions().map(filled);
    const answers = await Promise.all(
      expressions.map(async (each) => (await prometheus.query(each)).length),
    );
    // What has not happened yet has no series: an ended run, a call that failed.
    const empty = expressions.filter((_, index) => answers[index] === 0);
    expect(empty.filter((each) => !/_bucket|_count\{.*|error_type/.test(each))).toEqual([
      expect.stringContaining('sse_redis_streams_behind'),
    ]);
  });

  it('load the alerts, of which none fires', async () => {
    const response = await fetch(`${prometheus.url}/api/v1/rules`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { name: string; health: string; state: string }[] }[] };
    };
    const rules = data.groups.flatMap((group) => group.rules);
    expect(rules.length).toBe(alertRules().match(/- alert:/g)!.length);
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([]);
  });

  it('keep to the format: promtool finds nothing', async () => {
    const text = await (await fetch(`${address}/metrics`)).text();
    expect(promtool(['check', 'metrics'], text)).toBe('');
  });
});
