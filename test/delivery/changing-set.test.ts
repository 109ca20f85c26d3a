import { afterEach, describe, expect, it } from '@jest/globals';
import { labelOf } from '../../lib/channel/composite-id.js';
import type { Snapshots } from '../../lib/delivery/snapshot-cursor.js';
import { until } from '../support/until.js';
import { endAll, idOf, read, start, turn, type Setting } from './subscription-rig.js';

afterEach(endAll);

/** Channels that change, and others who read the same channels. */
function startChanging(names: string, setting?: Setting, snapshots?: Snapshots) {
  const rig = start(setting);
  const subscription = rig.delivery.subscribeChanging(rig.requestsOf(names), snapshots);
  /** Takes channels out of the set. */
  const remove = (gone: string) => subscription.keep((name) => !gone.includes(name));
  const prepare = (added: string, limit = 10) => subscription.prepare(rig.requestsOf(added), limit);
  const add = (added: string) => subscription.add(prepare(added), () => true);
  /** Begins a stream. */
  const connect = (lastEventId?: string) => {
    subscription.begin();
    return rig.rig.connect([], { subscription, lastEventId });
  };
  /** Who has the channels open beside this client, by what the source was told. */
  const users = () => rig.source.calls.slice(names.length);
  return { ...rig, subscription, remove, prepare, add, connect, users };
}

describe('A channel that joins an open stream', () => {
  it('brings each of its events, and the ids have it from then on', async () => {
    const { connect, add, source } = startChanging('a');
    const client = await connect();
    expect(client.lastEventId).toBe(idOf('a0~next'));
    add('b');
    await until(() => client.events.length === 1);
    for (const name of ['b', 'a', 'b']) {
      source.write(name);
      await turn();
    }
    expect(client.data.slice(1)).toEqual(['b1', 'a1', 'b2']);
    expect(client.events.map(({ id }) => id)).toEqual(
      ['a0~next b0~next', 'a0~next b1', 'a1 b1', 'a1 b2'].map(idOf),
    );
  });

  it('is waited for until it listens, but no longer than told, and loses nothing of the others', async () => {
    const { subscription, prepare, source } = startChanging('', {
      isReady: (name) => name === 'a',
    });
    expect(subscription.whenReady(prepare('a'), 10_000)).toBeUndefined();
    const cursors = prepare('ab');
    let isReady = false;
    const ready = subscription.whenReady(cursors, 10_000)!.then(() => (isReady = true));
    source.write('a');
    source.write('b');
    await turn();
    expect(isReady).toBe(false);
    await subscription.whenReady(prepare('c'), 1);
    source.sinks.get('b')!.live('1');
    await ready;
    subscription.add(cursors, () => true);
    subscription.begin();
    expect([read(subscription), subscription.id]).toEqual([['a1'], idOf('a1 b1')]);
  });

  it('joins only if it is still wanted', async () => {
    const { connect, subscription, prepare, source, users } = startChanging('a');
    const client = await connect();
    subscription.add(prepare('bc'), (name) => name === 'c');
    await until(() => client.events.length === 1);
    expect(subscription.channels).toEqual(['a', 'c']);
    expect(users()).toEqual(['resume b', 'resume c', 'pause b']);
    source.write('b');
    source.write('c');
    await until(() => client.events.length === 2);
    expect(client.data[1]).toBe('c1');
  });

  it('tells the client nothing if there is none', async () => {
    const { connect, add, remove, source, subscription } = startChanging('a');
    const client = await connect();
    add('');
    expect([remove(''), subscription.hasNews]).toEqual([false, false]);
    source.write('a');
    await until(() => client.events.length > 0);
    expect(client.data).toEqual(['a1']);
  });

  it('is refused with all that come with it when it has too many clients', async () => {
    const { connect, prepare, subscribe, users, remove, add, source, rig, requestsOf } =
      startChanging('a');
    const client = await connect();
    await rig.connect(requestsOf('c'));
    expect(() => prepare('bcd', 1)).toThrow(
      expect.objectContaining({
        code: 'LIMIT_REACHED',
        message: expect.stringMatching(/"c" has 1 connections.*connectionsPerChannel/),
      }),
    );
    expect(users()).toEqual(['resume c', 'resume b', 'pause b']);
    expect(prepare('c', 2)).toHaveLength(1);
    // The client's own part of a channel that comes back does not count.
    client.stall();
    source.write('a', 2);
    await turn();
    source.write('a', 2);
    remove('a');
    expect(prepare('a', 1)).toHaveLength(1);
    add('a');
    source.write('a');
    client.readOn();
    await until(() => client.data.at(-1) === 'a5');
    expect(client.data.filter((text) => text.startsWith('a'))).toEqual(
      [1, 2, 3, 4, 5].map((n) => `a${n}`),
    );
    source.write('a');
    await until(() => client.data.at(-1) === 'a6');
    expect(subscribe('a').hasRoom(2)).toBe(true);
  });

  it('is refused when it has the label of another', () => {
    const { delivery, source, subscription } = startChanging('');
    const [first, second] = ['channel 8dd7afb2f629', 'channel d756799ffc88'];
    const open = delivery.subscribeChanging([{ source, name: first! }]);
    for (const [set, names] of [
      [open, [second]],
      [subscription, [first, second]],
    ] as const) {
      source.calls.length = 0;
      expect(() =>
        set.prepare(
          names.map((name) => ({ source, name: name! })),
          10,
        ),
      ).toThrow(expect.objectContaining({ code: 'INVALID_CHANNEL' }));
      expect(source.calls).toEqual([`resume ${second}`, `pause ${second}`]);
    }
  });
});

describe('A channel that leaves a set', () => {
  it('leaves it before the stream begins without a word', async () => {
    const { connect, remove, source, users } = startChanging('ab');
    expect(remove('b')).toBe(true);
    expect(users()).toEqual(['pause b']);
    const client = await connect();
    expect(client.lastEventId).toBe(idOf('a0~next'));
    expect(JSON.parse(client.frames[0]!.data!)).toEqual({
      channels: ['a'],
      labels: { [labelOf('a')]: 'a' },
    });
    source.write('b');
    source.write('a');
    await until(() => client.events.length > 0);
    expect(client.data).toEqual(['a1']);
  });

  it('leaves an empty set with an id at which the client begins anew in all', async () => {
    const { connect, remove, source, rig, requestsOf } = startChanging('ab');
    const client = await connect();
    source.write('a');
    await turn();
    remove('ab');
    await until(() => client.events.length === 2);
    const { lastEventId } = client;
    expect(lastEventId).toBe('sse:none');
    const again = await rig.connect(requestsOf('ab'), { lastEventId });
    source.write('a');
    await until(() => again.events.length > 0);
    expect(again.data).toEqual(['a2']);
  });

  it('is given back once, where the client has not begun it, and had not been told', async () => {
    const { rig, connect, remove, subscribe, source, users } = startChanging('ab', {
      hasHistory: true,
      delivery: { retain: { events: 1, bytes: 1_000, age: 300_000 } },
    });
    const other = subscribe('a');
    source.write('a', 3);
    source.isHolding = true;
    const placed = connect(idOf('a1'));
    await turn();
    source.letGo();
    const client = await placed;
    client.stall();
    remove('a');
    expect(remove('a')).toBe(false);
    client.cut();
    expect(remove('b')).toBe(false);
    expect(users()).toEqual(['pause b']);
    other.close();
    expect(users()).toEqual(['pause b', 'pause a']);
    expect(rig.logged).toEqual([]);
  });
});

describe('A set that is closed', () => {
  it('gives back the channels that were about to join, and those that come too late', () => {
    const { subscription, prepare, subscribe, source } = startChanging('a', {
      isReady: (name) => {
        if (name === 'd') {
          subscription.close();
        }
        return true;
      },
    });
    const other = subscribe('b');
    let closed = 0;
    subscription.onClosed = () => closed++;
    const joining = prepare('bc');
    source.calls.length = 0;
    // The source of `d` ends the stream as it is opened.
    expect(prepare('d')).toEqual([]);
    expect(source.calls.toSorted()).toEqual(['pause a', 'pause c', 'pause d', 'resume d']);
    source.calls.length = 0;
    subscription.add(joining, () => true);
    subscription.add(joining, () => false);
    subscription.close();
    expect([source.calls, closed]).toEqual([[], 1]);
    other.close();
    expect(source.calls).toEqual(['pause b']);
  });
});

describe('What a client of a changing set is told', () => {
  it('is of those that are denied only what is still wanted', async () => {
    const { connect, subscription } = startChanging('a');
    const client = await connect();
    subscription.deny(['x', 'y']);
    subscription.keep((name) => name !== 'x');
    await until(() => client.events.length > 0);
    expect(client.events).toMatchObject([{ type: 'sse:denied', data: '{"channels":["y"]}' }]);
  });

  it('has no position of a channel whose state is due', () => {
    const snapshots: Snapshots = {
      has: (name) => name === 'a',
      take: () => new Promise(() => undefined),
      fail: () => undefined,
    };
    for (const [names, id] of [
      ['ab', idOf('b0~next')],
      ['a', 'sse:none'],
    ] as const) {
      const { subscription } = startChanging(names, {}, snapshots);
      void subscription.place({ lastEventId: undefined, readyTimeout: 0 });
      expect(subscription.id).toBe(id);
    }
  });

  it('are ids of the whole set, also where it was empty', async () => {
    const { connect, add, source } = startChanging('');
    const client = await connect();
    add('ab');
    source.write('a');
    await until(() => client.events.length === 2);
    expect(client.lastEventId).toBe(idOf('a1 b0~next'));
  });

  it('is the end, once its runs have ended and no channel comes any more', async () => {
    const { connect, subscription, source } = startChanging('a');
    const client = await connect();
    source.write('a', 1, true);
    await until(() => client.events.length > 0);
    await turn();
    expect(client.isClosed).toBe(false);
    subscription.finish();
    await until(() => client.isClosed);
  });
});
