import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { Guard } from '../../lib/channel/guard.js';
import { FlushQueue } from '../../lib/delivery/flush-queue.js';
import { until } from '../support/until.js';

const LIMITS = { events: 10, bytes: 10_000, age: 10_000, eventSize: 1_000 };

function rig() {
  const errors: string[] = [];
  let idle = 0;
  const queue = new FlushQueue({
    detach: (run) => run(),
    guard: new Guard({
      log: () => undefined,
      warn: () => undefined,
      error: (message) => void errors.push(message),
    }),
    onIdle: () => void idle++,
  });
  return { queue, errors, idle: () => idle };
}

/** Holds the event loop as a reader does that writes a lot. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe('A flush', () => {
  it('lets others run between slices, and serves every reader once', async () => {
    const { queue, idle } = rig();
    const channel = new Channel('c', LIMITS, queue.add);
    const served: number[] = [];
    for (let i = 0; i < 200; i++) {
      channel.addReader({ pull: () => (served.push(i), work(1)) });
    }
    channel.append({ data: 'x' });
    let turns = 0;
    while (served.length < 200) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(served).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(turns).toBeGreaterThanOrEqual(5);
    await until(() => idle() === 1);
  });

  it('alternates between woken readers and readers of channels, so that none starves', async () => {
    const { queue } = rig();
    const channel = new Channel('c', LIMITS, queue.add);
    const order: string[] = [];
    for (let i = 0; i < 50; i++) {
      channel.addReader({ pull: () => void order.push('channel') });
    }
    channel.append({ data: 'x' });
    for (let i = 0; i < 50; i++) {
      queue.wake({ pull: () => void order.push('woken') });
    }
    await until(() => order.length === 100);
    expect(order.slice(0, 4).toSorted()).toEqual(['channel', 'channel', 'woken', 'woken']);
    expect(order.slice(0, 60).filter((who) => who === 'channel')).toHaveLength(30);
  });

  it('serves a reader that wakes itself again and again, and all others too', async () => {
    const { queue, idle } = rig();
    let own = 0;
    let other = 0;
    const greedy = { pull: () => void (++own < 1_000 && queue.wake(greedy)) };
    queue.wake(greedy);
    queue.wake({ pull: () => void other++ });
    await until(() => own === 1_000);
    expect(other).toBe(1);
    await until(() => idle() > 0);
    // Not before the last one was served: the blocks that readers share are forgotten then.
    expect(idle()).toBe(1);
  });

  it('serves woken readers in one turn, and rests', async () => {
    const { queue, idle } = rig();
    let served = 0;
    for (let i = 0; i < 10; i++) {
      queue.wake({ pull: () => void served++ });
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect([served, idle()]).toEqual([10, 1]);
  });

  it('goes on after a reader that throws', async () => {
    const { queue, errors } = rig();
    let served = 0;
    queue.wake({
      pull: () => {
        throw new Error('broken');
      },
    });
    queue.wake({ pull: () => void served++ });
    await until(() => served === 1);
    expect(errors).toEqual(['The delivery to a client failed: broken']);
  });
});
