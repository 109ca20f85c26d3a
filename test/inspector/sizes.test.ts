import { afterEach, expect, jest, test } from '@jest/globals';
import type { SseTestClient } from '../../lib/testing/index.js';
import { closeApps } from '../support/start-app.js';
import { until } from '../support/until.js';
import { startInspector, TOKEN } from './rig.js';

afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
});

test('a long event is measured once, however many look at it', async () => {
  const { ask, sse, connect } = await startInspector();
  await sse.send('news', 'first');
  const followers: SseTestClient[] = [];
  for (let n = 0; n < 5; n++) {
    followers.push(await connect('/inspector/follow?channel=news', { headers: TOKEN }));
  }
  const text = 'ä'.repeat(100_000);
  await sse.send('news', text);
  const measured = jest.spyOn(Buffer, 'byteLength');
  await until(() => followers.every(({ events }) => events.length > 0));
  for (let n = 0; n < 3; n++) {
    const { events } = (await ask('/inspector/history?channel=news')).body as {
      events: { size: number }[];
    };
    expect(events.map(({ size }) => size)).toEqual([200_000, 5]);
  }
  const times = measured.mock.calls.filter(([given]) => given === text);
  expect(times).toHaveLength(1);
});
