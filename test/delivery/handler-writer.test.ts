import { afterEach, describe, expect, it } from '@jest/globals';
import {
  concat,
  from,
  ignoreElements,
  merge,
  NEVER,
  of,
  Observable,
  Subject,
  throwError,
} from 'rxjs';
import { Guard } from '../../lib/channel/guard.js';
import { HandlerWriter } from '../../lib/delivery/handler-writer.js';
import { iterableStream } from '../../lib/delivery/iterable-stream.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { until } from '../support/until.js';
import { ClientRig, type RigHandler } from './client-rig.js';

const rigs: ClientRig[] = [];
afterEach(() => rigs.splice(0).forEach((rig) => rig.close()));

async function start(handler?: RigHandler) {
  const rig = new ClientRig();
  rigs.push(rig);
  const source = new MemoryBroker(rig.delivery.channels);
  const emitted = new Subject<unknown>();
  const client = await rig.connect([{ source, name: 'c' }], {
    handler: handler ?? ((events$) => merge(emitted, events$)),
  });
  const send = (data: string) => void source.publish('c', { data });
  return { rig, client, emitted, send };
}

const turn = () => new Promise(setImmediate);
const turns = async (count: number): Promise<void> => {
  for (let left = count; left > 0; left--) {
    await turn();
  }
};
const nothing = () => undefined;
const silent = new Guard({ log: nothing, warn: nothing, error: nothing });
const MEBIBYTE = 1_048_576;

describe('What a handler writes', () => {
  it('comes in order, with what it emitted before the stream was open', async () => {
    const { client, rig } = await start(() =>
      concat(of('1', '2'), from([3, 4]), of({ data: '5' })),
    );
    await until(() => client.isClosed);
    expect(client.data).toEqual(['1', '2', '3', '4', '5']);
    expect(client.response.writableEnded).toBe(true);
    expect(rig.delivery.tally.sentEvents).toBe(5);
  });

  it('comes without a further event, and nothing of it twice', async () => {
    const { client, emitted, send, rig } = await start();
    emitted.next('1');
    emitted.next(undefined);
    await until(() => client.events.length === 1);
    send('2');
    emitted.next('3');
    await until(() => client.events.length === 3);
    expect(client.data.toSorted()).toEqual(['1', '2', '3']);
    for (const [index, data] of ['4', '5'].entries()) {
      await turn();
      emitted.next(data);
      await until(() => client.events.length === 4 + index);
    }
    expect(client.data.slice(-2)).toEqual(['4', '5']);
    await turn();
    expect(rig.delivery.tally.sentEvents).toBe(5);
  });

  it('waits for a client that does not read, and ends behind it', async () => {
    const { client, emitted, rig } = await start(() => emitted$);
    client.stall();
    for (let number = 0; number < 100; number++) {
      emitted$.next(number);
      await turn();
    }
    emitted$.complete();
    await turn();
    expect([client.events.length, client.response.writableEnded]).toEqual([0, false]);
    client.readOn();
    await until(() => client.isClosed);
    expect(client.data).toEqual(Array.from({ length: 100 }, (_, number) => `${number}`));
    expect([rig.delivery.tally.sentEvents, rig.logged, emitted.observed]).toEqual([100, [], false]);
  });
  const emitted$ = new Subject<unknown>();

  it('waits while all clients are held', async () => {
    const { rig, client, emitted } = await start(() => held$);
    rig.delivery.connections.hold.begin();
    held$.next('1');
    await turn();
    held$.complete();
    await turn();
    expect([client.data, client.isClosed]).toEqual([[], false]);
    rig.delivery.connections.hold.end();
    await until(() => client.isClosed);
    expect([client.data, emitted.observed]).toEqual([['1'], false]);
  });
  const held$ = new Subject<unknown>();

  it('comes before the end of a stream that fails, and nothing behind it', async () => {
    let tornDown = 0;
    const { client, rig } = await start(
      () =>
        new Observable((subscriber) => {
          subscriber.next('1');
          subscriber.next('2');
          subscriber.next({ data: 1n });
          subscriber.next('3');
          return () => void tornDown++;
        }),
    );
    await until(() => client.isClosed);
    expect([client.data, tornDown]).toEqual([['1', '2'], 1]);
    expect(rig.logged).toEqual([expect.stringMatching(/The stream of a handler failed: .*BigInt/)]);
    expect(rig.delivery.tally.sentEvents).toBe(2);
    expect([...rig.delivery.connections.ends]).toEqual([['error', 1]]);
  });

  it('ends with the first of several failures', async () => {
    const { client, rig } = await start(() => throwError(() => new Error('First.')));
    await until(() => client.isClosed);
    expect(rig.logged).toEqual(['The stream of a handler failed: First.']);
  });

  it('closes the connection of a client that does not read, beyond 4 MiB', async () => {
    const { client, emitted, rig } = await start();
    client.stall();
    emitted.next('first');
    await turn();
    for (let part = 0; part < 3; part++) {
      emitted.next('x'.repeat(MEBIBYTE - 100));
    }
    await turn();
    expect(client.isClosed).toBe(false);
    emitted.next('x'.repeat(MEBIBYTE - 100));
    expect(client.isClosed).toBe(false);
    emitted.next('x'.repeat(MEBIBYTE - 100));
    expect([client.isClosed, client.response.writableEnded, emitted.observed]).toEqual([
      true,
      false,
      false,
    ]);
    expect(rig.logged).toEqual([
      expect.stringMatching(/A client does not read and \d+ characters/),
    ]);
    expect([...rig.delivery.connections.ends]).toEqual([['stalled', 1]]);
  });

  it('fails when there are more than 4 MiB before the stream is open', async () => {
    const { client, rig } = await start(() =>
      concat(from(Array.from({ length: 5 }, () => 'x'.repeat(MEBIBYTE - 10))), NEVER),
    );
    await until(() => client.isClosed);
    expect(client.data).toEqual([]);
    expect(rig.logged).toEqual([expect.stringMatching(/emitted \d+ characters before its stream/)]);
  });

  it('is nothing for an object that is no message, of which one line tells', async () => {
    const { client, emitted, rig } = await start();
    emitted.next({ other: 1 });
    emitted.next({ other: 2 });
    emitted.next('1');
    await until(() => client.events.length === 1);
    expect([client.data, rig.logged]).toEqual([
      ['1'],
      [expect.stringMatching(/emitted an object/)],
    ]);
  });

  it('has the ids of the events that it passes on, also when it changes them', async () => {
    const { client, send } = await start(
      (events$) =>
        new Observable((subscriber) =>
          events$.subscribe((event) => {
            subscriber.next(event);
            subscriber.next({ ...event, data: 'changed' });
            subscriber.next('beside');
          }),
        ),
    );
    send('1');
    await until(() => client.events.length === 3);
    expect(client.data).toEqual(['1', 'changed', 'beside']);
    const [id] = client.events.map((event) => event.id);
    expect(id).toMatch(/./);
    expect(client.events.map((event) => event.id)).toEqual([id, id, id]);
  });

  it('is over when the client leaves: its source is torn down, and what it emits goes nowhere', async () => {
    let tornDown = 0;
    const { client, rig } = await start(
      (events$) =>
        new Observable((subscriber) => {
          const inner = events$.pipe(ignoreElements()).subscribe(subscriber);
          return () => {
            tornDown++;
            inner.unsubscribe();
            subscriber.next('too late');
          };
        }),
    );
    client.cut();
    await turn();
    expect([tornDown, client.data, rig.logged]).toEqual([1, [], []]);
    expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
  });

  it('is of an iterable what its client reads, a block at a time', async () => {
    let made = 0;
    let isOver = false;
    async function* numbers() {
      try {
        for (;;) {
          yield `${made++} ${'x'.repeat(1_000)}`;
        }
      } finally {
        isOver = true;
      }
    }
    const { client, rig } = await start((_, writer) => iterableStream(numbers(), writer, silent));
    const [connection] = [...rig.delivery.connections][0]!;
    expect([connection.channels, connection.backlog]).toEqual([['c'], 0]);
    await until(() => client.events.length > 100);
    for (let round = 0; round < 3; round++) {
      client.stall();
      await until(() => connection.isBlocked);
      const before = made;
      await turns(20);
      // A block waits beside the one that the client has not taken.
      expect(made - before).toBeLessThan(40);
      const rested = made;
      await turns(20);
      expect(made).toBe(rested);
      client.readOn();
      await until(() => client.events.length > made - 40 && made > rested + 100);
    }
    expect(client.data.map((data) => Number.parseInt(data, 10))).toEqual(
      client.data.map((__, index) => index),
    );
    client.cut();
    await until(() => isOver);
    const { length } = client.events;
    await turns(5);
    expect(client.events.length).toBe(length);
  });

  it('waits for its stream to open, and for nothing once it is closed', async () => {
    const { guard, eventLimits: limits } = new ClientRig().delivery;
    const writer = new HandlerWriter({ handler: 'a handler', guard, limits });
    expect([writer.channels, writer.isBlocked, writer.isEmpty]).toEqual([[], true, true]);
    writer.next('1');
    expect([writer.isEmpty, writer.isFull]).toEqual([false, false]);
    writer.next('x'.repeat(40_000));
    expect(writer.isFull).toBe(true);
    const room = writer.whenRoom();
    writer.close();
    await room;
    writer.next('late');
    expect([writer.isEmpty, writer.isFull]).toEqual([true, false]);
    const failed = new HandlerWriter({ handler: 'a handler', guard, limits });
    failed.error(new Error('First.'));
    failed.error(new Error('Second.'));
    failed.next('late');
    expect([failed.isEmpty, failed.failure]).toEqual([true, { cause: new Error('First.') }]);
  });
});
