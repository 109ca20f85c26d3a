import { afterEach, describe, expect, it } from '@jest/globals';
import { endAll, read, start, turn } from './subscription-rig.js';

afterEach(endAll);

describe('The channels of a client', () => {
  it('are known by name, with how many events it has yet to get', async () => {
    const { place, source } = start();
    const subscription = await place('ab');
    source.write('a', 2);
    source.write('b', 3);
    expect(subscription.channels).toEqual(['a', 'b']);
    expect(subscription.backlog).toBe(5);
    read(subscription);
    expect(subscription.backlog).toBe(0);
  });

  it.each([false, true])(
    'have room for so many clients, each of which has a place of its own; with ids of their own: %s',
    async (hasOwnIds) => {
      const { rig, delivery, requestsOf, subscribe } = start();
      const waiting = subscribe('ab');
      expect([0, 1].map((limit) => waiting.hasRoom(limit))).toEqual([false, true]);
      const form = { hasOwnIds };
      const first = await rig.connect(requestsOf('ab', form));
      const second = await rig.connect(requestsOf('b', form));
      // `b` has two.
      expect([1, 2, 3].map((limit) => waiting.hasRoom(limit))).toEqual([false, false, true]);
      second.cut();
      expect([1, 2].map((limit) => waiting.hasRoom(limit))).toEqual([false, true]);
      first.cut();
      expect(waiting.hasRoom(1)).toBe(true);
      expect(subscribe('').hasRoom(0)).toBe(true);
      const open = delivery.subscribe(requestsOf('ab'));
      open.attach({ pull: () => undefined });
      expect([0, 1].map((limit) => open.hasRoom(limit))).toEqual([false, true]);
      expect([1, 2].map((limit) => waiting.hasRoom(limit))).toEqual([false, true]);
    },
  );

  it('pull its reader when they have news, and it alone, until it leaves', async () => {
    const { place, source } = start();
    const [subscription, other] = [await place('ab'), await place('a')];
    const pulled: string[] = [];
    // Nobody reads yet.
    subscription.pull();
    subscription.attach({ pull: () => void pulled.push('first') });
    other.attach({ pull: () => void pulled.push('other') });
    source.write('b');
    await turn();
    expect(pulled).toEqual(['first']);
    subscription.pull();
    await turn();
    expect(pulled).toEqual(['first', 'first']);
    subscription.close();
    subscription.pull();
    source.write('a');
    await turn();
    expect(pulled).toEqual(['first', 'first', 'other']);
    // A reader that comes too late.
    subscription.attach({ pull: () => void pulled.push('late') });
    subscription.pull();
    source.write('b');
    await turn();
    expect(pulled).toHaveLength(3);
  });

  it('are given back once, however often it is closed', async () => {
    const { place, source, delivery } = start();
    const [first, second] = [await place('ab'), await place('a')];
    second.attach({ pull: () => undefined });
    first.close();
    first.close();
    expect(source.calls).toEqual(['resume a', 'resume b', 'pause b']);
    second.close();
    expect(source.calls.slice(3)).toEqual(['pause a']);
    for (const { readers, places } of delivery.channels.channels) {
      expect([readers.size, places.size]).toEqual([0, 0]);
    }
  });

  it('are given back when one of them cannot be opened', async () => {
    const { subscribe, source } = start({ delivery: { maxChannels: 2 } });
    expect(() => subscribe('abc')).toThrow(expect.objectContaining({ code: 'LIMIT_REACHED' }));
    expect(source.calls.slice(2)).toEqual(['pause a', 'pause b']);
  });
});
