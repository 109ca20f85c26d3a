import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { PresenceMarks } from '../../lib/sources/event-table/presence-marks.js';
import { until } from '../support/until.js';

it('Who watches a channel is told, at whatever step the looks for another one end', async () => {
  let reads = 0;
  const marks = new PresenceMarks(async (channels) => {
    reads++;
    return new Map(channels.map((channel) => [channel, String(reads)]));
  }, 3_600_000);
  for (let steps = 0; steps < 16; steps++) {
    let told = 0;
    const leave = marks.add('a', () => undefined);
    const before = reads;
    marks.wake();
    await until(() => reads > before);
    // By then it sleeps, unless the machine is busy: then this step is not tried.
    await sleep(80);
    leave();
    marks.wake();
    for (let step = 0; step < steps; step++) await undefined;
    const leaveAgain = marks.add('b', () => told++);
    await until(() => told > 0, { what: `news after ${steps} steps` });
    leaveAgain();
    marks.wake();
  }
  expect(reads).toBeGreaterThanOrEqual(32);
  marks.stop();
});
