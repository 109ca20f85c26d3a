import { afterEach, expect, test } from '@jest/globals';
import type { Overview } from '../../lib/inspector/overview.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startInspector, TOKEN } from './rig.js';

const { now } = Date;

afterEach(async () => {
  Date.now = now;
  await closeApps();
});

const HOUR = 3_600_000;

const overviewsOf = ({ events }: SseTestClient): Overview[] =>
  events.map(({ data }) => JSON.parse(data) as Overview);

test.each([-HOUR, HOUR])("a step of the system's time by %d ms moves no age", async (step) => {
  const { ask, connect } = await startInspector({}, { options: { redis: 'redis://127.0.0.1:1' } });
  const client = await connect('/inspector/live', { headers: TOKEN });
  await until(() => overviewsOf(client).at(-1)?.outages.length);
  const began = performance.now();
  const before = overviewsOf(client).at(-1)!;
  const count = client.events.length;
  Date.now = () => now() + step;
  await until(() => client.events.length >= count + 2);
  const after = overviewsOf(client).slice(count);
  const passed = performance.now() - began;
  // A second between them and what the machine was late; an hour is neither.
  const most = passed + 60_000;
  let last = before.at;
  for (const { at, startedAt, systems, outages } of after) {
    expect(at).toBeGreaterThan(last);
    expect(at - before.at).toBeLessThan(most);
    last = at;
    expect(startedAt).toBe(before.startedAt);
    expect(outages[0]!.from).toBe(before.outages[0]!.from);
    expect(Math.abs(systems[0]!.since! - before.systems[0]!.since!)).toBeLessThan(most);
    expect(systems[0]!.since).toBeLessThanOrEqual(at);
  }
  const { rows } = (await ask('/inspector/connections')).body as { rows: { openedAt: number }[] };
  expect(Math.abs(last - rows[0]!.openedAt)).toBeLessThan(most);
});
