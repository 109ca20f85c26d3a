import { afterEach, describe, expect, it } from '@jest/globals';
import type { ChannelSink, ChannelSource } from '../../lib/channel/source.js';
import type { DeliveryOptions } from '../../lib/delivery/delivery.js';
import type { Overflow } from '../../lib/delivery/overflow.js';
import { until } from '../support/until.js';
import { ClientRig, type RigClient } from './client-rig.js';

const rigs: ClientRig[] = [];

/** A client whose set of channels a test changes, and a source that a test feeds. */
async function start(
  first: readonly string[],
  options: Partial<DeliveryOptions> = {},
  overflow?: Overflow,
) {
  const rig = new ClientRig(options);
  rigs.push(rig);
  const { delivery } = rig;
  const sinks = new Map<string, ChannelSink>();
  const source: ChannelSource = {
    open(name, sink) {
      sinks.set(name, sink);
      sink.live();
      return { close: () => void sinks.delete(name) };
    },
  };
  const requestOf = (name: string) => ({ source, name, isOfSet: true });
  const subscription = delivery.subscribeChanging(first.map(requestOf));
  subscription.begin();
  const client = await rig.connect([], { subscription, overflow });
  const change = (...set: string[]) => {
    const isWanted = (name: string) => set.includes(name);
    subscription.keep(isWanted);
    const added = set.filter((name) => !subscription.channels.includes(name));
    subscription.add(subscription.prepare(added.map(requestOf), Infinity), isWanted);
  };
  const send = (channel: string, ...events: string[]) =>
    events.forEach((data) => sinks.get(channel)?.append({ data }));
  const end = (channel: string, data: string) => sinks.get(channel)!.append({ data, end: true });
  return { delivery, client, change, send, end, sinks, subscription };
}

/** What the client received: data, and sets as arrays. */
const received = ({ events }: RigClient) =>
  events.map(({ type, data }) =>
    type === 'sse:channels'
      ? (JSON.parse(data) as { channels: string[] }).channels
      : type === 'message'
        ? data
        : type,
  );

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('A set of channels that changes', () => {
  afterEach(() => rigs.splice(0).forEach((rig) => rig.close()));

  it('gives a client that does not read what its channels had, and the latest set only', async () => {
    const { client, change, send } = await start(['a', 'b']);
    client.stall();
    send('a', 'a1');
    await turn();
    send('a', 'a2');
    send('b', 'b1');
    change('b');
    send('a', 'a3');
    change('b', 'c', 'd');
    send('c', 'c1');
    change('d', 'b');
    send('c', 'c2');
    send('d', 'd1');
    send('b', 'b2');
    client.readOn();
    await until(() => client.data.includes('b2'));
    // It was never told of `c`, nor of the set without `d`.
    expect(received(client)).toEqual(['a1', 'a2', ['b', 'd'], 'b1', 'd1', 'b2']);
  });

  it('resumes after the part of a removed channel that the client has read', async () => {
    const { client, change, send } = await start(['a', 'b']);
    send('a', 'a1');
    await turn();
    const before = client.lastEventId!;
    client.stall();
    send('a', 'a2');
    change('b');
    await turn();
    // Until the client is told of it, ids have the channel.
    client.readOn();
    await until(() => client.events.length === 3);
    const ids = client.events.map(({ id }) => id!);
    expect(ids.map((id) => id.split(',').length)).toEqual([2, 2, 1]);
    expect(ids[0]).toBe(before);
    expect(before.split(',')[1]).toBe(ids[2]);
  });

  it('drops the rest of a removed channel when the window no longer has it, without a reset', async () => {
    const retain = { events: 2, bytes: 1_048_576, age: 0 };
    const { client, change, send } = await start(['a', 'b'], { retain });
    client.stall();
    send('b', 'b1');
    await turn();
    const many = Array.from({ length: 200 }, (_, i) => `a${i} ${'x'.repeat(100_000)}`);
    send('a', ...many);
    change('b');
    send('b', 'b2');
    client.readOn();
    await until(() => client.data.includes('b2'));
    expect(received(client).at(-2)).toEqual(['b']);
    expect(received(client)).not.toContain('sse:reset');
  });

  it('brings a channel that has left and come back with what came meanwhile left out', async () => {
    const { client, change, send, subscription } = await start(['a', 'b']);
    send('a', 'a1');
    change('b');
    send('a', 'a2');
    change('b', 'a');
    send('a', 'a3');
    await until(() => client.data.includes('a3'));
    expect(received(client)).toEqual(['a1', ['b', 'a'], 'a3']);
    expect(subscription.channels).toEqual(['b', 'a']);
    send('a', 'a4');
    await until(() => client.data.includes('a4'));
  });

  it('stays while channels may come, and ends with the last of its runs once none may', async () => {
    const { client, change, send, end, subscription } = await start(['a']);
    end('a', 'end of a');
    await until(() => client.data.includes('end of a'));
    change('a', 'b');
    send('a', 'of the next run');
    send('b', 'b1');
    await until(() => client.data.includes('b1'));
    subscription.finish();
    await turn();
    expect(client.isClosed).toBe(false);
    end('b', 'end of b');
    send('b', 'of the next run');
    await until(() => client.isClosed);
    expect(received(client)).toEqual(['end of a', ['a', 'b'], 'b1', 'end of b']);
  });

  it('ends after what is to be told, when its runs had ended before', async () => {
    const { client, end, subscription } = await start(['a']);
    end('a', 'end of a');
    await until(() => client.events.length === 1);
    client.stall();
    subscription.deny(['no']);
    subscription.finish();
    client.readOn();
    await until(() => client.isClosed);
    expect(received(client)).toEqual(['end of a', 'sse:denied']);
  });

  it('stays when it is empty, though no channel may come', async () => {
    const { client, change, subscription } = await start(['a']);
    change();
    subscription.finish();
    await until(() => client.events.length === 1);
    await turn();
    expect([received(client), client.isClosed]).toEqual([[[]], false]);
  });

  it('changes for clients that are sent away when they are too slow', async () => {
    const { client, change, send } = await start(['a'], {}, 'disconnect');
    change('a', 'b');
    send('b', 'b1');
    await until(() => client.data.includes('b1'));
    expect([received(client), client.isClosed]).toEqual([[['a', 'b'], 'b1'], false]);
  });

  it('changes while clients are held, and delivers nothing before', async () => {
    const { delivery, client, change, send } = await start(['a', 'b']);
    delivery.connections.hold.begin();
    send('a', 'a1');
    change('b', 'c');
    send('a', 'a2');
    send('c', 'c1');
    await turn();
    expect(client.events).toEqual([]);
    delivery.connections.hold.end();
    await until(() => client.data.includes('c1'));
    expect(received(client)).toEqual(['a1', ['b', 'c'], 'c1']);
  });

  it('tells a client that does not read only of what is denied in the end', async () => {
    const { client, change, send, subscription } = await start(['a']);
    client.stall();
    send('a', 'a1');
    await turn();
    for (let n = 0; n < 100; n++) {
      change('a', `b${n}`);
      subscription.deny([`no${n}`, 'allowed', 'no']);
      subscription.keep((name) =>
        ['a', `b${n}`, 'allowed', ...(n === 99 ? ['no'] : [])].includes(name),
      );
    }
    change('a', 'allowed');
    subscription.deny(['last']);
    client.readOn();
    await until(() => client.events.length === 3);
    expect(received(client)).toEqual(['a1', ['a', 'allowed'], 'sse:denied']);
    expect(client.events[2]!.data).toBe('{"channels":["last"]}');
  });

  it('tells what is denied after the set', async () => {
    const { client, change, subscription } = await start(['a']);
    change('a', 'b');
    subscription.deny(['c']);
    subscription.deny(['d']);
    await until(() => client.events.length === 2);
    expect(client.events.map(({ type }) => type)).toEqual(['sse:channels', 'sse:denied']);
    expect(client.data[1]).toBe('{"channels":["c","d"]}');
  });

  it.each([false, true])(
    'leaves nothing behind after 200 changes when the connection is cut, with a client that reads: %s',
    async (reads) => {
      const { delivery, client, change, send, sinks } = await start(['a'], { linger: 0 });
      if (!reads) {
        client.stall();
      }
      const names = ['a', 'b', 'c', 'd'];
      for (let i = 0; i < 200; i++) {
        const set = names.filter((_, nth) => (i * 7 + nth * 3) % 5 > 1);
        change(...set);
        set.forEach((name) => send(name, `${name}${i}`));
        if (i % 20 === 0) {
          await turn();
        }
        if (reads && i % 50 === 49) {
          await until(() => [...sinks.keys()].sort().join() === set.join());
        }
      }
      change('a', 'd');
      client.cut();
      expect([...delivery.channels.channels].map(({ readers }) => readers.size)).not.toContain(1);
      expect([...delivery.channels.channels].map(({ places }) => places.size)).not.toContain(1);
      await until(() => sinks.size === 0);
      expect(delivery.channels.size).toBe(0);
    },
  );
});
