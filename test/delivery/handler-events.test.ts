import { afterEach, describe, expect, it } from '@jest/globals';
import {
  concat,
  concatMap,
  ignoreElements,
  map,
  merge,
  NEVER,
  Observable,
  Subject,
  Subscription,
  switchMap,
  take,
  takeUntil,
  tap,
} from 'rxjs';
import type { ChannelFeed, ChannelSink, HistoryPage } from '../../lib/channel/source.js';
import type { SseEvent } from '../../lib/channel/sse-event.js';
import type { DeliveryOptions } from '../../lib/delivery/delivery.js';
import { until } from '../support/until.js';
import { ClientRig, type RigClient, type RigHandler } from './client-rig.js';

const rigs: ClientRig[] = [];
afterEach(() => rigs.splice(0).forEach((rig) => rig.close()));

function start(options: Partial<DeliveryOptions> = {}, feed: Partial<ChannelFeed> = {}) {
  const rig = new ClientRig(options);
  rigs.push(rig);
  const sinks = new Map<string, ChannelSink>();
  const source = {
    open(name: string, sink: ChannelSink) {
      sinks.set(name, sink);
      sink.live();
      return { close: () => void sinks.delete(name), ...feed };
    },
  };
  const requests = (names: string) => [...names].map((name) => ({ source, name }));
  const connect = (names: string, handler: RigHandler, lastEventId?: string) =>
    rig.connect(requests(names), { handler, lastEventId });
  /** Appends events such as `a1`, each to the channel of its first letter. */
  const send = (...events: string[]) =>
    events.forEach((data) => sinks.get(data[0]!)!.append({ data, end: data.endsWith('end') }));
  const readers = () => [...rig.delivery.channels.channels].map((channel) => channel.readers.size);
  return { rig, sinks, requests, connect, send, readers };
}

const turn = () => new Promise(setImmediate);

/** What a client got; resets as their type. */
const received = ({ events }: RigClient) =>
  events.map(({ type, data }) => (type === 'message' ? data : type));

/** Holds each event back until the next turns of the event loop, as code does that waits. */
const slowly = concatMap(async (event: SseEvent) => {
  await turn();
  return event;
});

describe('The events of a handler', () => {
  it.each(['a', 'ab'])(
    'go on where the last subscriber has left, once another comes; channels: %s',
    async (names) => {
      const { connect, send, readers } = start();
      const gate = new Subject<void>();
      const client = await connect(names, (events$) =>
        concat(events$.pipe(take(2)), gate.pipe(take(1), ignoreElements()), events$),
      );
      send('a1', 'a2', 'a3');
      await until(() => client.events.length === 2);
      await turn();
      expect(readers()).toEqual([...names].map(() => 0));
      send('a4');
      gate.next();
      await until(() => client.events.length === 4);
      send('a5');
      await until(() => client.events.length === 5);
      expect(received(client)).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
      client.cut();
      expect(readers()).toEqual([...names].map(() => 0));
    },
  );

  it('go on for a subscriber that leaves and comes back while it receives one', async () => {
    const { connect, send } = start();
    const client = await connect('a', (events$) => {
      const each: Observable<SseEvent> = events$.pipe(take(1));
      return concat(each, each, each, events$);
    });
    send('a1', 'a2', 'a3', 'a4', 'a5');
    await until(() => client.events.length === 5);
    expect(received(client)).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
  });

  it('come to each of several subscribers, from when it subscribes', async () => {
    const { connect, send } = start();
    const late = new Subject<void>();
    const client = await connect('a', (events$) =>
      merge(
        events$.pipe(map(({ data }) => `first ${data as string}`)),
        late.pipe(concatMap(() => events$.pipe(map(({ data }) => `second ${data as string}`)))),
      ),
    );
    send('a1');
    await until(() => client.events.length === 1);
    late.next();
    send('a2', 'a3');
    await until(() => client.events.length === 5);
    expect(received(client)).toEqual([
      'first a1',
      'first a2',
      'second a2',
      'first a3',
      'second a3',
    ]);
    // Both under the id of the event that they were made of.
    const ids = client.events.map(({ id }) => id);
    expect(ids.slice(1)).toEqual([ids[1], ids[1], ids[3], ids[3]]);
  });

  it('come to the other subscribers when one throws', async () => {
    const { rig, connect, send } = start();
    const client = await connect('a', (events$) => {
      events$.subscribe(() => {
        throw new Error('Not me.');
      });
      return events$;
    });
    send('a1', 'a2');
    await until(() => client.events.length === 2);
    expect(rig.logged[0]).toMatch(/A subscriber of @SseEvents\(\) failed: Not me\./);
  });

  it('leave the end of the last run until the handler has let go of what came before', async () => {
    const { rig, connect, send } = start();
    const client = await connect('ab', (events$) => events$.pipe(slowly));
    send('a1', 'a end', 'a2', 'b1', 'b2', 'b end', 'b3');
    await until(() => client.isClosed);
    // The end of one run of several comes in its place in the channels.
    expect(received(client).toSorted()).toEqual(['a end', 'a1', 'b end', 'b1', 'b2']);
    expect(received(client).filter((data) => data !== 'a end')).toEqual([
      'a1',
      'b1',
      'b2',
      'b end',
    ]);
    expect(received(client).at(-1)).toBe('b end');
    expect(rig.delivery.tally.sentEvents).toBe(client.events.length);
  });

  it('wait for the next subscriber when the first has left before any of them', async () => {
    const { connect, send, readers } = start({}, { current: () => ({ data: 'the state' }) });
    const gate = new Subject<void>();
    const client = await connect('a', (events$) => {
      events$.subscribe().unsubscribe();
      return gate.pipe(switchMap(() => events$));
    });
    await turn();
    expect(client.events).toEqual([]);
    gate.next();
    await until(() => client.events.length === 1);
    send('a1');
    await until(() => client.events.length === 2);
    expect(received(client)).toEqual(['the state', 'a1']);
    gate.complete();
    expect(readers()).toEqual([1]);
  });

  it('are not read from when the last subscriber leaves between two of them', async () => {
    const { connect, send, readers } = start();
    const leave = new Subject<void>();
    const client = await connect('a', (events$) => concat(events$.pipe(takeUntil(leave)), NEVER));
    send('a1');
    await until(() => client.events.length === 1);
    await turn();
    expect(readers()).toEqual([1]);
    leave.next();
    expect(readers()).toEqual([0]);
  });

  it('tell of a gap that was found when the client did not read, and then the subscriber left', async () => {
    const asked: ((page: HistoryPage) => void)[] = [];
    const history = {
      compare: (a: string, b: string) => Number(a) - Number(b),
      read: () => new Promise<HistoryPage>((resolve) => void asked.push(resolve)),
    };
    const { connect } = start({ readyTimeout: 10 }, { history });
    const [leave, come] = [new Subject<void>(), new Subject<void>()];
    const client = await connect(
      'a',
      (events$) =>
        concat(events$.pipe(takeUntil(leave)), come.pipe(take(1), ignoreElements()), events$),
      'earliest',
    );
    client.stall();
    asked[0]!({ events: [{ position: '1', data: 'a1' }], last: false });
    await until(() => asked.length === 2);
    asked[1]!({ events: [], last: true, reset: 'trimmed' });
    await turn();
    leave.next();
    come.next();
    await turn();
    client.readOn();
    await until(() => client.events.length === 2);
    expect([received(client), asked.length]).toEqual([['a1', 'sse:reset'], 2]);
  });

  it('have resets beside them, which no handler can filter out', async () => {
    const { connect, send, sinks } = start();
    const client = await connect('a', (events$) =>
      events$.pipe(
        tap(() => undefined),
        ignoreElements(),
      ),
    );
    sinks.get('a')!.reset('listener-gap');
    send('a end');
    await until(() => client.isClosed);
    expect(received(client)).toEqual(['sse:reset', 'a end']);
  });

  it('end for all subscribers with the stream, and for those that come later', async () => {
    const { connect } = start();
    const ends: string[] = [];
    let events!: Observable<SseEvent>;
    const client = await connect('a', (events$) => {
      events = events$;
      events$.subscribe({ complete: () => void ends.push('beside') });
      return events$.pipe(tap({ complete: () => void ends.push('stream') }));
    });
    client.cut();
    expect(ends).toEqual(['beside']);
    events.subscribe({ complete: () => void ends.push('later') });
    expect(ends).toEqual(['beside', 'later']);
  });

  it('fail for their subscribers when the channels cannot be opened again', async () => {
    const { rig, connect, send, requests } = start({ linger: 0, maxChannels: 1 });
    const gate = new Subject<void>();
    const client = await connect('a', (events$) =>
      concat(events$.pipe(take(1)), gate.pipe(take(1), ignoreElements()), events$),
    );
    send('a1');
    await until(() => client.events.length === 1 && rig.delivery.channels.size === 0);
    await rig.connect(requests('b'));
    gate.next();
    await until(() => client.isClosed);
    expect(received(client)).toEqual(['a1']);
    expect(rig.logged.join()).toMatch(/The stream of a handler failed: .*channels/);
  });

  it('keep no reader when the client leaves while the channels are opened again', async () => {
    const { connect, send, readers, rig } = start();
    const gate = new Subject<void>();
    const client = await connect('a', (events$) =>
      concat(events$.pipe(take(1)), gate.pipe(take(1), ignoreElements()), events$),
    );
    send('a1');
    await until(() => client.events.length === 1);
    gate.next();
    client.cut();
    await turn();
    expect(readers()).toEqual([0]);
    expect([...rig.delivery.channels.channels][0]!.places.size).toBe(0);
  });

  it('keep no reader when nobody has subscribed', async () => {
    const { connect, readers, rig } = start();
    const client = await connect('a', () => NEVER);
    expect(client.events).toEqual([]);
    client.cut();
    await turn();
    expect(readers()).toEqual([0]);
    expect([...rig.delivery.channels.channels][0]!.places.size).toBe(0);
  });

  it('open the channels again once for several who subscribe at the same time', async () => {
    const { connect, send, readers } = start();
    let events!: Observable<SseEvent>;
    const client = await connect('a', (events$) => {
      events = events$;
      return concat(events$.pipe(take(1)), NEVER);
    });
    send('a1');
    await until(() => client.events.length === 1);
    await turn();
    const seen: unknown[] = [];
    const subscriptions = new Subscription();
    for (const name of ['first', 'second']) {
      subscriptions.add(events.subscribe(({ data }) => void seen.push([name, data])));
    }
    await turn();
    expect(readers()).toEqual([1]);
    send('a2');
    await until(() => seen.length === 2);
    expect(seen).toEqual([
      ['first', 'a2'],
      ['second', 'a2'],
    ]);
    subscriptions.unsubscribe();
    client.cut();
    expect(readers()).toEqual([0]);
  });

  it('of one client leave time to others', async () => {
    const { connect, send } = start({ retain: { events: 10_000, bytes: Infinity, age: Infinity } });
    let first = 0;
    let before = 0;
    const count: RigHandler = (events$) => events$.pipe(tap(() => first++));
    const clients = [await connect('a', count), await connect('a', (events$) => events$)];
    clients[1]!.onEvent = () => (before ||= first);
    send(...Array.from({ length: 2_000 }, (_, number) => `a${number}`));
    await until(() => clients[1]!.events.length === 2_000 && first === 2_000);
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThanOrEqual(512);
  });
});
