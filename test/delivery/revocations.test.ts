import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { monotonicNow } from '../../lib/channel/clock.js';
import type { CountedAs } from '../../lib/delivery/client.js';
import type { Revocation } from '../../lib/delivery/revocations.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { ClientRig, type RigClient } from './client-rig.js';

const user = (id: string): CountedAs => ({ id, info: undefined });

describe('Revocations', () => {
  let rig: ClientRig;
  let source: MemoryBroker;

  beforeEach(() => {
    jest.useFakeTimers();
    rig = new ClientRig();
    source = new MemoryBroker(rig.delivery.channels);
  });
  afterEach(() => {
    rig.close();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
  const connect = (name: string, counted: CountedAs) =>
    rig.connect([{ source, name }], { counted });
  const revoke = (target: Revocation['target'], more: Partial<Revocation> = {}) =>
    rig.delivery.revocations.revoke({ target, block: 0, reason: undefined, age: 0, ...more });
  const refusalOf = (id: string, since: number, ...channels: string[]) =>
    rig.delivery.revocations.refusalOf(user(id), { channels }, since);
  const ends = (...clients: RigClient[]) => clients.map(({ isClosed }) => isClosed);

  describe('end connections', () => {
    const three = () =>
      Promise.all([connect('a', user('u1')), connect('b', user('u1')), connect('a', user('u2'))]);

    it.each([
      [{ client: 'u1' }, [true, true, false]],
      [{ channel: 'a' }, [true, false, true]],
      [{ client: 'u1', channel: 'a' }, [true, false, false]],
      [{ client: 'u3' }, [false, false, false]],
      [{}, [true, true, true]],
    ])('of %j and no others', async (target, expected) => {
      const clients = await three();
      const meant: unknown[] = [];
      rig.delivery.revocations.onRevoked = (filter) => void meant.push(filter);
      revoke(target);
      expect([ends(...clients), meant]).toEqual([expected, [target]]);
      for (const { isClosed, events, frames } of clients) {
        expect(events.map(({ type, data }) => [type, data])).toEqual(
          isClosed ? [['sse:end', '{"reason":"revoked"}']] : [],
        );
        const retry = isClosed ? frames.at(-1)!.retry : 1_000;
        expect(retry).toBeGreaterThanOrEqual(1_000);
        expect(retry).toBeLessThanOrEqual(4_000);
      }
    });

    it('of one id, which keeps nobody from returning', async () => {
      const clients = await three();
      const { connections, revocations } = rig.delivery;
      const meant: unknown[] = [];
      revocations.onRevoked = (filter) => void meant.push(filter);
      const [connection, counted] = [...connections][1]!;
      const { id } = connections.views.of(connection, counted);
      revoke({ connection: 'another' });
      revoke({ connection: id, client: 'u2' });
      expect(ends(...clients)).toEqual([false, false, false]);
      revoke({ connection: id }, { reason: 'Away.' });
      expect(ends(...clients)).toEqual([false, true, false]);
      expect([connections.details.get(connection), meant]).toEqual(['Away.', []]);
      expect(refusalOf('u1', monotonicNow(), 'b')).toBeUndefined();
    });

    it('and say of each because of which channel', async () => {
      await three();
      const all = [...rig.delivery.connections].map(([connection]) => connection);
      const haveMeant = (channel: string) =>
        all.map((connection) => rig.delivery.revocations.haveMeant(connection, channel));
      revoke({ client: 'u1', channel: 'a' });
      expect([haveMeant('a'), haveMeant('b')]).toEqual([
        [true, false, false],
        [false, false, false],
      ]);
      revoke({ client: 'u2' });
      expect([haveMeant('a'), haveMeant('b')]).toEqual([
        [true, false, true],
        [false, false, true],
      ]);
    });

    it('of clients that do not read at once, and with nothing of what waits for them', async () => {
      await pass(10);
      const client = await connect('a', user('u1'));
      client.stall();
      void source.publish('a', { data: '1' });
      await pass(1);
      revoke({ client: 'u1' });
      client.readOn();
      expect([client.isClosed, client.events, client.response.writableEnded]).toEqual([
        true,
        [],
        false,
      ]);
    });

    it('of many, before any of them receives another event', async () => {
      const clients: RigClient[] = [];
      for (let count = 0; count < 129; count++) {
        clients.push(await connect('a', user('u1')));
      }
      const other = await connect('a', user('u2'));
      const { hold } = rig.delivery.connections;
      revoke({ client: 'u1' });
      void source.publish('a', { data: '1' });
      await pass(100);
      expect(clients.filter(({ isClosed }) => isClosed)).toHaveLength(129);
      expect(clients.filter(({ data }) => data.includes('1'))).toEqual([]);
      expect([hold.isOn, other.data]).toEqual([false, ['1']]);
    });

    it('of all, who may return and be asked anew', async () => {
      const clients = await three();
      const before = monotonicNow();
      await pass(5_000);
      rig.delivery.revocations.revokeAll('Nobody knows.');
      expect(ends(...clients)).toEqual([true, true, true]);
      expect(clients.map(({ events }) => events)).toEqual([[], [], []]);
      // Behind the opening one comes nothing but when to return.
      for (const { frames } of clients) {
        const behind = frames.slice(1).map(({ raw }) => raw);
        expect(behind).toEqual([expect.stringMatching(/^retry: \d{4}\n\n$/)]);
        expect(frames[1]!.retry).toBeGreaterThanOrEqual(1_000);
      }
      await pass(1_001);
      expect([refusalOf('u1', before, 'a'), refusalOf('u1', monotonicNow(), 'a')]).toEqual([
        'revoked',
        undefined,
      ]);
    });
  });

  describe('refuse requests', () => {
    it('that began before, and those of the next second, as their guards may have decided before', async () => {
      const before = monotonicNow();
      await pass(10);
      revoke({ client: 'u1', channel: 'a' });
      const same = monotonicNow();
      await pass(10);
      const after = monotonicNow();
      expect(refusalOf('u1', after, 'a')).toBe('revoked');
      await pass(990);
      expect(refusalOf('u1', after, 'a')).toBeUndefined();
      await pass(100_000);
      const refusals = [before, same, after].map((since) => refusalOf('u1', since, 'b', 'a'));
      expect(refusals).toEqual(['revoked', 'revoked', undefined]);
      expect([refusalOf('u2', before, 'a'), refusalOf('u1', before, 'b')]).toEqual([
        undefined,
        undefined,
      ]);
      // An address is no client.
      const { revocations } = rig.delivery;
      expect(revocations.refusalOf('u1', { channels: ['a'] }, before)).toBeUndefined();
      expect(revocations.refusalOf(user('u1'), undefined, before)).toBeUndefined();
    });

    it.each([
      [{ client: 'u1' }, ['blocked', undefined, 'blocked']],
      [{ channel: 'a' }, ['blocked', 'blocked', undefined]],
      [{}, ['blocked', 'blocked', 'blocked']],
    ])('of the clients that are blocked: %j', async (target, expected) => {
      expect(rig.delivery.revocations.isBlocked(user('u1'), 'a')).toBe(false);
      revoke(target, { block: 5_000, age: 1_000 });
      await pass(3_999);
      const now = () => [
        refusalOf('u1', monotonicNow(), 'a'),
        refusalOf('u2', monotonicNow(), 'a'),
        refusalOf('u1', monotonicNow(), 'b'),
      ];
      expect(now()).toEqual(expected);
      const { revocations } = rig.delivery;
      const blocked = () =>
        [
          ['u1', 'a'],
          ['u2', 'a'],
          ['u1', 'b'],
        ].map(([id, channel]) => revocations.isBlocked(user(id!), channel!));
      expect(blocked()).toEqual(expected.map((each) => each === 'blocked'));
      await pass(1);
      expect([now(), blocked()]).toEqual([Array(3).fill(undefined), Array(3).fill(false)]);
    });

    it('for the longer of two times', async () => {
      revoke({ client: 'u1' }, { block: 5_000 });
      revoke({ client: 'u1' }, { block: 1_000 });
      await pass(4_000);
      expect(refusalOf('u1', monotonicNow())).toBe('blocked');
      await pass(1_000);
      expect(refusalOf('u1', monotonicNow())).toBeUndefined();
    });

    it('from the last of several times on', async () => {
      revoke({ client: 'u1' });
      await pass(5_000);
      const between = monotonicNow();
      await pass(10);
      revoke({ client: 'u1' });
      revoke({ client: 'u1' }, { age: 4_000 });
      await pass(2_000);
      expect([refusalOf('u1', between), refusalOf('u1', monotonicNow())]).toEqual([
        'revoked',
        undefined,
      ]);
    });

    it('of clients without an id, where all of a channel are meant', () => {
      revoke({ channel: 'a' }, { block: 5_000 });
      const { revocations } = rig.delivery;
      const refusals = ['a', 'b'].map((channel) =>
        revocations.refusalOf('an address', { channels: [channel] }, monotonicNow()),
      );
      expect(refusals).toEqual(['blocked', undefined]);
    });

    it('blocked is more than revoked, whichever is noted first', async () => {
      const before = monotonicNow();
      await pass(1);
      revoke({ client: 'u1', channel: 'a' }, { block: 5_000 });
      revoke({ client: 'u1' });
      revoke({});
      expect(refusalOf('u1', before, 'a')).toBe('blocked');
    });

    it('while it is unknown who is blocked', async () => {
      const { revocations } = rig.delivery;
      expect(revocations.areKnown).toBe(true);
      await revocations.whenKnown(1_000);
      revocations.areUnknown();
      expect([revocations.areKnown, refusalOf('u1', monotonicNow())]).toEqual([false, 'unknown']);
      const done: string[] = [];
      void revocations.whenKnown(1_000).then(() => done.push('late'));
      void revocations.whenKnown(100_000).then(() => done.push('in time'));
      await pass(999);
      expect(done).toEqual([]);
      await pass(1);
      expect(done).toEqual(['late']);
      revocations.areKnownNow();
      await pass(0);
      expect([done, revocations.areKnown]).toEqual([['late', 'in time'], true]);
      expect(refusalOf('u1', monotonicNow())).toBeUndefined();
    });

    it('for no longer than somebody waits, when the application shuts down meanwhile', async () => {
      const { revocations } = rig.delivery;
      revocations.areUnknown();
      const timers = jest.getTimerCount();
      const waiting = revocations.whenKnown(100_000);
      revocations.waitNoMore();
      await waiting;
      expect([revocations.areKnown, jest.getTimerCount()]).toEqual([false, timers]);
    });

    it('that began so long ago that nothing is remembered of that time', async () => {
      const before = monotonicNow();
      await pass(1);
      for (let client = 0; client < 1_023; client++) {
        revoke({ client: `c${client}` });
      }
      revoke({ client: 'blocked' }, { block: 10_000_000 });
      const since = monotonicNow();
      await pass(600_001);
      // Twice as many make it look for those that can be forgotten.
      for (let client = 0; client < 1_024; client++) {
        revoke({ client: `d${client}` });
      }
      await pass(1_001);
      expect([before, since, since + 1].map((time) => refusalOf('another', time))).toEqual([
        'revoked',
        'revoked',
        undefined,
      ]);
      expect(refusalOf('blocked', monotonicNow())).toBe('blocked');
      expect(refusalOf('d0', since + 1)).toBe('revoked');
    });
  });
});
