import { afterEach, describe, expect, it } from '@jest/globals';
import type { Snapshots } from '../../lib/delivery/snapshot-cursor.js';
import { until } from '../support/until.js';
import { endAll, idOf, start, turn, type Setting } from './subscription-rig.js';

afterEach(endAll);

interface Call {
  readonly channel: string;
  /** Tells that the state is about to be read. */
  readonly begin: () => void;
  readonly signal: AbortSignal;
  readonly give: (state: string) => void;
  readonly refuse: (error: Error) => void;
}

/** Clients of channels with states, which a test gives. Channels after `m` have none. */
function startStates(setting?: Setting) {
  const rig = start(setting);
  const calls: Call[] = [];
  const failed: string[] = [];
  const snapshots: Snapshots = {
    has: (name) => name < 'm',
    take: (channel, begin, signal) =>
      new Promise((give, refuse) => void calls.push({ channel, begin, signal, give, refuse })),
    fail: (channel, error) => void failed.push(`${channel}: ${(error as Error).message}`),
  };
  const subscribe = (names: string) => rig.delivery.subscribe(rig.requestsOf(names), snapshots);
  const connect = (names: string, lastEventId?: string) =>
    rig.rig.connect([], { subscription: subscribe(names), lastEventId });
  const nextCall = async () => {
    await until(() => calls.length > 0);
    return calls.shift()!;
  };
  /** Reads the state at once, and gives it. */
  const giveNext = async (state: string) => {
    const call = await nextCall();
    call.begin();
    call.give(state);
  };
  return { ...rig, calls, failed, subscribe, connect, nextCall, giveNext };
}

/** Keeps about twelve events for a client that does not read. */
const SHORT = { delivery: { retain: { events: 1, bytes: 100, age: 300_000 } } };

describe('A client of a channel with a state', () => {
  it('gets the state as it is read, under the position that it is read after, and what follows', async () => {
    const { connect, nextCall, source, rig } = startStates();
    const client = await connect('a');
    expect(client.frames[0]!.id).toBeUndefined();
    const call = await nextCall();
    source.write('a', 2);
    call.begin();
    source.write('a', 1);
    await turn();
    expect(client.events).toEqual([]);
    call.give('state');
    await until(() => client.events.length === 2);
    source.write('a', 1);
    await until(() => client.events.length === 3);
    expect(client.events.map(({ type, data, id }) => [type, data, id])).toEqual([
      ['sse:snapshot', 'state', '2'],
      ['message', 'a3', '3'],
      ['message', 'a4', '4'],
    ]);
    expect(rig.logged).toEqual([]);
  });

  it('gets the events of other channels meanwhile, under their positions alone, and each in the order of arrival', async () => {
    const { connect, nextCall, source, rig } = startStates();
    const client = await connect('abz');
    const [a, b] = [await nextCall(), await nextCall()];
    source.write('z');
    await until(() => client.events.length === 1);
    client.stall();
    source.write('z');
    await turn();
    for (const call of [b, a]) {
      call.begin();
      source.write('b');
      call.give(`state of ${call.channel}`);
      await turn();
      source.write('z');
    }
    client.readOn();
    await until(() => client.events.length === 8);
    expect(client.data).toEqual(['z1', 'z2', 'state of b', 'b1', 'z3', 'b2', 'state of a', 'z4']);
    expect(client.events[0]!.id).toBe(idOf('z1'));
    expect(rig.logged).toEqual([]);
  });

  it('gets a reset without an id, and then the state; however many there are, it is not sent away', async () => {
    const { connect, giveNext, source, failed, rig } = startStates();
    const client = await connect('a');
    await giveNext('first');
    await until(() => client.events.length === 1);
    for (let nth = 1; nth <= 6; nth++) {
      source.reset('a');
      await until(() => client.events.length === 2 * nth);
      await giveNext(`state ${nth}`);
      await until(() => client.events.length === 2 * nth + 1);
      const [reset, state] = client.events.slice(-2);
      expect([reset!.type, reset!.id, state!.data]).toEqual([
        'sse:reset',
        undefined,
        `state ${nth}`,
      ]);
    }
    source.write('a');
    await until(() => client.data.at(-1) === 'a7');
    expect([failed, rig.logged]).toEqual([[], []]);
  });

  it('gets what it has missed when it returns, and no state but after a reset', async () => {
    const { connect, giveNext, calls, source, subscribe } = startStates();
    subscribe('a');
    source.write('a', 2);
    const client = await connect('a', '1');
    await until(() => client.events.length > 0);
    expect([client.data, calls]).toEqual([['a2'], []]);
    const lost = await connect('a', 'elsewhere');
    await giveNext('state');
    await until(() => lost.events.length === 2);
    expect(lost.events.map(({ type, id }) => [type, id])).toEqual([
      ['sse:reset', undefined],
      ['sse:snapshot', '2'],
    ]);
  });

  it('gets the end of its run, if that comes before the state is read', async () => {
    const { connect, nextCall, source } = startStates();
    const client = await connect('a');
    const call = await nextCall();
    source.write('a', 2, true);
    source.write('a', 1);
    call.begin();
    call.give('state');
    await until(() => client.isClosed);
    expect(client.events.map(({ data, id }) => [data, id])).toEqual([
      ['state', '1'],
      ['a2', '2'],
    ]);
  });

  it('gets the state, and then each event once, after a reset at the end of the history', async () => {
    const { connect, giveNext, source, subscribe, rig } = startStates({ hasHistory: true });
    source.write('a');
    source.reset('a');
    subscribe('a');
    source.isHolding = true;
    const placed = connect('a', '1');
    await turn();
    source.letGo();
    const client = await placed;
    source.write('a', 2);
    await giveNext('state');
    source.write('a');
    await until(() => client.data.at(-1) === 'a5');
    expect(client.events.map(({ type, id }) => [type, id])).toEqual([
      ['sse:reset', undefined],
      ['sse:snapshot', '2'],
      ...['3', '4', '5'].map((id) => ['message', id]),
    ]);
    expect(rig.logged).toEqual([]);
  });

  it('gets what is left of the history before a reset of the log', async () => {
    const { connect, giveNext, source, subscribe } = startStates({
      hasHistory: true,
      delivery: { ...SHORT.delivery, readyTimeout: 1 },
    });
    source.write('a', 3);
    subscribe('a');
    source.isHolding = true;
    const client = await connect('a', '1');
    source.write('a');
    source.reset('a');
    source.write('a');
    await turn();
    expect(client.events).toEqual([]);
    source.letGo();
    await giveNext('state');
    source.write('a');
    await until(() => client.data.at(-1) === 'a7');
    expect(client.events.map(({ type, id }) => [type, id])).toEqual([
      ...['2', '3', '4'].map((id) => ['message', id]),
      ['sse:reset', undefined],
      ['sse:snapshot', '6'],
      ['message', '7'],
    ]);
  });

  it('is told once of a reset, where the history behind it is gone', async () => {
    const { connect, giveNext, source, subscribe } = startStates({ hasHistory: true });
    source.write('a');
    source.reset('a');
    source.write('a', 1_000);
    subscribe('a');
    source.isHolding = true;
    const placed = connect('a', '1');
    await turn();
    source.letGo();
    // For the next page.
    source.isHolding = true;
    const client = await placed;
    await until(() => client.events.length === 1);
    source.forget('a');
    source.letGo();
    await giveNext('state');
    source.write('a');
    await until(() => client.data.at(-1) === 'a1003');
    expect(client.events.map(({ type }) => type)).toEqual(['sse:reset', 'sse:snapshot', 'message']);
  });

  it('goes on before the end of its run in the history after the state', async () => {
    const { connect, giveNext, source } = startStates({ hasHistory: true });
    source.write('a');
    source.reset('a');
    source.write('a');
    source.write('a', 1, true);
    source.write('a');
    const client = await connect('a', '1');
    await giveNext('state');
    await until(() => client.isClosed);
    expect(client.events.map(({ type, id }) => [type, id])).toEqual([
      ['sse:reset', undefined],
      ['sse:snapshot', '3'],
      ['message', '4'],
    ]);
  });
});

describe('A state that comes too late', () => {
  it('is read again, where events behind it are gone, until it has come too late four times', async () => {
    const { connect, nextCall, source, failed } = startStates(SHORT);
    const client = await connect('a');
    for (let nth = 1; nth <= 4; nth++) {
      const call = await nextCall();
      call.begin();
      source.write('a', 50);
      call.give(`late ${nth}`);
    }
    const call = await nextCall();
    expect(call.begin).toThrow(/each of its last 4 states came too late.*`retain`/);
    call.refuse(new Error('too late'));
    await until(() => failed.length > 0);
    expect([client.events, failed]).toEqual([[], ['a: too late']]);
  });

  it('counts anew once the client has got an event', async () => {
    const { connect, nextCall, giveNext, source, failed } = startStates(SHORT);
    const client = await connect('a');
    for (let round = 1; round <= 3; round++) {
      for (let nth = 1; nth <= 3; nth++) {
        const call = await nextCall();
        call.begin();
        source.write('a', 50);
        call.give('late');
      }
      await giveNext(`state ${round}`);
      await until(() => client.data.at(-1) === `state ${round}`);
      source.write('a');
      await until(() => client.data.at(-1)!.startsWith('a'));
      source.reset('a');
    }
    expect(failed).toEqual([]);
    expect(client.data.filter((data) => data.startsWith('state'))).toHaveLength(3);
    expect(client.data).not.toContain('late');
  });

  it.each([
    ['four times in a row, and it is sent away', false],
    ['but not where it has got an event in between', true],
  ])('or is followed by a loss counts, %s', async (_, getsEvents) => {
    const { connect, nextCall, giveNext, source } = startStates(SHORT);
    const client = await connect('a');
    for (let nth = 1; nth <= 4; nth++) {
      await giveNext(`state ${nth}`);
      await until(() => client.data.at(-1) === `state ${nth}`);
      if (getsEvents) {
        source.write('a');
        await until(() => client.data.at(-1)!.startsWith('a'));
      }
      // They are more than are kept until the client's turn.
      source.write('a', 50);
      await until(() => client.events.at(-1)!.type === 'sse:reset');
    }
    const { begin } = await nextCall();
    if (getsEvents) {
      begin();
    } else {
      expect(begin).toThrow(/each of its last 4 states came too late/);
    }
  });

  it('is good where the history has the events behind it', async () => {
    const { connect, nextCall, source, calls } = startStates({ ...SHORT, hasHistory: true });
    source.write('a');
    const client = await connect('a');
    const call = await nextCall();
    call.begin();
    source.write('a', 50);
    call.give('state');
    await until(() => client.events.length === 51);
    expect([client.data[0], client.data[1], client.data[50], calls]).toEqual([
      'state',
      'a2',
      'a51',
      [],
    ]);
  });
});

describe('A client that leaves', () => {
  it('before its state was asked for gives its channels back', () => {
    const { subscribe, source, calls } = startStates();
    const subscription = subscribe('ab');
    void subscription.place({ lastEventId: undefined, readyTimeout: 0 });
    subscription.close();
    expect(source.calls).toEqual(['resume a', 'resume b', 'pause a', 'pause b']);
    expect(calls).toEqual([]);
  });

  it.each(['give', 'refuse'] as const)(
    'aborts the reading of its state, and what comes of it is dropped: %s',
    async (answer) => {
      const { connect, nextCall, failed, rig } = startStates();
      const client = await connect('a');
      const call = await nextCall();
      expect(call.signal.aborted).toBe(false);
      client.cut();
      expect(call.signal.aborted).toBe(true);
      call[answer](new Error('late') as Error & string);
      await turn();
      expect([client.events, failed, rig.logged]).toEqual([[], [], []]);
    },
  );
});
