import { afterEach, describe, expect, it } from '@jest/globals';
import { NO_POSITION } from '../../lib/delivery/resume-positions.js';
import { until } from '../support/until.js';
import { endAll, idOf, read, start, turn } from './subscription-rig.js';

afterEach(endAll);

/** Keeps the newest event only. */
const NO_EVENTS = { events: 1, bytes: 1_000, age: 300_000 };

describe('A client that comes', () => {
  const CURRENT = { current: (name: string) => ({ data: `now ${name}` }) };

  it('gets what its channels have now, and then what follows', async () => {
    const { place, source } = start(CURRENT);
    const subscription = await place('ab');
    source.write('b');
    source.write('a');
    expect(read(subscription).toSorted()).toEqual(['a1', 'b1', 'now a', 'now b']);
    expect(subscription.backlog).toBe(0);
  });

  it('at places in some channels goes on there, and gets what the others have now', async () => {
    const { subscribe, place, source } = start(CURRENT);
    subscribe('abc');
    'abc'.split('').forEach((name) => source.write(name, 3));
    const subscription = await place('abc', { from: new Map([['b', '1']]) });
    expect(read(subscription).toSorted()).toEqual(['b2', 'b3', 'now a', 'now c']);
  });

  it('with an id and places goes on at the places, and else where its id says', async () => {
    const { subscribe, place, source } = start(CURRENT);
    subscribe('abc');
    'abc'.split('').forEach((name) => source.write(name, 3));
    const places = { lastEventId: idOf('a2 b2'), from: new Map([['b', '1']]) };
    const subscription = await place('abc', places);
    expect(read(subscription).toSorted()).toEqual(['a3', 'b2', 'b3', 'now c']);
    // A channel that is at the head already.
    const other = await place('abc', { ...places, from: new Map([['b', '3']]) });
    expect(read(other).toSorted()).toEqual(['a3', 'now c']);
  });

  it('with what is no position gets a reset of each channel, but of those whose place is told', async () => {
    const { subscribe, place, source } = start(CURRENT);
    subscribe('ab');
    'ab'.split('').forEach((name) => source.write(name, 2));
    const places = { lastEventId: NO_POSITION, from: new Map([['a', '1']]) };
    expect(read(await place('ab', places)).toSorted()).toEqual(['a2', 'b: unknown-position']);
  });

  it.each([
    [{ isOwnChoice: true }, ['now a', 'now b']],
    [{ isOwnChoice: false }, ['a: unknown-position', 'b: unknown-position']],
    [{}, ['a: unknown-position', 'b: unknown-position']],
  ])('with an id of other channels, and %j, gets %j', async (choice, events) => {
    const { place } = start(CURRENT);
    const subscription = await place('ab', { lastEventId: idOf('c1'), ...choice });
    expect(read(subscription).toSorted()).toEqual(events);
  });

  it('is in place at once where nothing must be awaited', () => {
    const { subscribe, source } = start();
    const first = subscribe('ab');
    source.write('a');
    for (const lastEventId of [undefined, idOf('a1 b0'), 'elsewhere', NO_POSITION]) {
      expect(subscribe('ab').place({ lastEventId, readyTimeout: 0 })).toBeUndefined();
    }
    expect(first.backlog).toBe(1);
  });

  it('waits until each channel listens, and gets what follows: in those that listened before, from when it came', async () => {
    const { subscribe, source } = start({ isReady: (name) => name === 'a' });
    const subscription = subscribe('abc');
    let isPlaced = false;
    const placed = subscription.place({ lastEventId: undefined, readyTimeout: 10_000 });
    void placed!.then(() => (isPlaced = true));
    source.write('a');
    source.sinks.get('b')!.live('0');
    source.write('b');
    await turn();
    expect(isPlaced).toBe(false);
    source.sinks.get('c')!.live('9');
    await placed;
    expect(subscription.id).toBe(idOf('a0~next b1 c9~next'));
    source.write('b');
    expect(read(subscription)).toEqual(['a1', 'b2']);
  });

  it('waits for another channel, gets what its channels have by then, and nothing from before again', async () => {
    const { subscribe, requestsOf, delivery, source } = start({
      isReady: (name) => name === 'a',
      current: (name) => source.newest(name),
    });
    const open = subscribe('ab');
    const placed = open.place({ lastEventId: undefined, readyTimeout: 10_000 });
    source.write('a', 2);
    source.sinks.get('b')!.live('0');
    await placed;
    source.write('a');
    expect([read(open), open.id]).toEqual([['a2', 'a3'], idOf('a3 b0~next')]);

    const changing = delivery.subscribeChanging([]);
    const joining = changing.prepare(requestsOf('ac'), 10);
    const ready = changing.whenReady(joining, 10_000);
    source.write('a');
    source.sinks.get('c')!.live('0');
    await ready;
    changing.add(joining, () => true);
    changing.begin();
    source.write('a');
    expect([read(changing), changing.id]).toEqual([['a4', 'a5'], idOf('a5 c0~next')]);
  });

  it('waits no longer than it is told', async () => {
    const { place, source } = start({ isReady: () => false });
    const subscription = await place('ab', { readyTimeout: 1 });
    source.write('b');
    expect(read(subscription)).toEqual(['b1']);
  });

  it('and leaves before the channel listens, is placed nowhere', async () => {
    const { subscribe, source } = start({ isReady: () => false, ...CURRENT });
    const subscription = subscribe('a');
    const placed = subscription.place({ lastEventId: 'elsewhere', readyTimeout: 10_000 });
    subscription.close();
    source.sinks.get('a')!.live('7');
    await placed;
    expect(read(subscription)).toEqual([]);
  });

  it('waits for history, to learn whether its run has ended, but no longer than it is told', async () => {
    const { subscribe, source } = start({ hasHistory: true, delivery: { retain: NO_EVENTS } });
    subscribe('a');
    source.write('a', 2, true);
    source.write('a', 2);
    source.isHolding = true;
    const [early, late] = [subscribe('a'), subscribe('a')];
    await early.place({ lastEventId: '2', readyTimeout: 1 });
    expect(early.hasEnded).toBe(false);
    const placed = late.place({ lastEventId: '2', readyTimeout: 10_000 });
    expect(late.hasEnded).toBe(false);
    source.letGo();
    await placed;
    expect(late.hasEnded).toBe(true);
  });

  it('waits for the history of each channel', async () => {
    const { subscribe, source } = start({ hasHistory: true, delivery: { retain: NO_EVENTS } });
    subscribe('ab');
    'ab'.split('').forEach((name) => source.write(name, 2, true));
    'ab'.split('').forEach((name) => source.write(name, 2));
    const subscription = subscribe('ab');
    await subscription.place({ lastEventId: idOf('a2 b2'), readyTimeout: 10_000 });
    expect(subscription.hasEnded).toBe(true);
    const other = subscribe('ab');
    await other.place({ lastEventId: idOf('a2 b1'), readyTimeout: 10_000 });
    expect(other.hasEnded).toBe(false);
    await until(() => other.cursors[1]!.next() === 'page');
    expect(read(other)).toEqual(['b2']);
  });
});

describe('A client that has received', () => {
  it.each([
    ['the end of its only run', 'a', '2', true],
    ['no end', 'a', '1', false],
    ['the ends of all its runs', 'ab', 'a2 b2', true],
    ['the end of one of its runs', 'ab', 'a2 b1', false],
    ['the end of one of its runs, and is new to another', 'ab', 'a2', false],
  ])('%s is told so when it returns', async (_, names, places, hasEnded) => {
    const { subscribe, place, source } = start();
    subscribe('ab');
    'ab'.split('').forEach((name) => source.write(name, 2, true));
    const subscription = await place(names, { lastEventId: idOf(places) });
    expect(subscription.hasEnded).toBe(hasEnded);
    expect((await place(names)).hasEnded).toBe(false);
  });

  it('nothing, as it has no channels, stays', async () => {
    const { place } = start();
    expect((await place('', { lastEventId: '1' })).hasEnded).toBe(false);
  });

  it('the ends of all its runs stays where channels may still come', async () => {
    const { delivery, requestsOf, subscribe, source } = start();
    subscribe('a');
    source.write('a', 1, true);
    for (const isFinal of [false, true]) {
      const subscription = delivery.subscribeChanging(requestsOf('a'));
      if (isFinal) {
        subscription.finish();
      }
      void subscription.place({ lastEventId: idOf('a1'), readyTimeout: 0 });
      expect(subscription.hasEnded).toBe(isFinal);
    }
  });
});
