import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  BehaviorSubject,
  concat,
  defer,
  EMPTY,
  NEVER,
  Observable,
  of,
  Subject,
  throwError,
} from 'rxjs';
import {
  SseChannel,
  type ChannelSource,
  type SseClosed,
  type SseConnectionEvent,
  type SseModuleOptions,
} from '../../lib/index.js';
import type { SseTestClient, SseTestEvent } from '../../lib/testing/index.js';
import { errorLog } from '../support/error-log.js';
import { startRedis } from '../support/redis.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byUser } from './rooms.js';

/** What the resolver returns in the test at hand. */
let sets$: Observable<string | string[]>;
/** How often it was subscribed to, and how many of these subscriptions are open. */
let [subscribed, open] = [0, 0];

const counted$ = defer(() => {
  subscribed++;
  open++;
  return new Observable<string | string[]>((subscriber) => {
    subscriber.add(() => open--);
    subscriber.add(sets$.subscribe(subscriber));
  });
});

/** Answers that a test gives by hand, by channel. */
const asked = new Map<string, (answer: boolean) => void>();
/** Called when the test is asked about a channel. */
let onAsked: (() => void) | undefined;

/** A source whose feeds a test sees, and which may do something when one is opened or closed. */
const feeds = new Set<string>();
let onFeed: ((what: string) => void) | undefined;
const source: ChannelSource = {
  open(name, sink) {
    feeds.add(name);
    sink.live();
    onFeed?.(`open ${name}`);
    return {
      close: () => {
        feeds.delete(name);
        onFeed?.(`close ${name}`);
      },
      pause: () => onFeed?.(`pause ${name}`),
    };
  },
};

@Controller()
class SetController {
  @Sse('set')
  @SseChannel(() => counted$)
  set() {}

  @Sse('authorized')
  @SseChannel(async () => counted$, {
    authorize: (_, channel) => {
      onAsked?.();
      if (channel.startsWith('ask:')) {
        return new Promise((resolve) => asked.set(channel, resolve));
      }
      if (channel.startsWith('fails:')) {
        throw new Error('it fails');
      }
      return !channel.startsWith('no:');
    },
  })
  authorized() {}

  @Sse('state')
  @SseChannel(() => counted$, {
    presence: true,
    snapshot: async (channel) => {
      await new Promise(setImmediate);
      return { of: channel };
    },
  })
  state() {}

  @Sse('fed')
  @SseChannel(() => counted$, { source })
  fed() {}

  @Sse('handled')
  @SseChannel(() => counted$)
  handled() {
    return NEVER;
  }
}

interface Place {
  readonly channels: string[];
  readonly labels: Record<string, string>;
}

const placeOf = ({ data }: SseTestEvent) => JSON.parse(data) as Place;

const dataOf = (events: readonly SseTestEvent[]) => events.map(({ data }) => data);

/** Waits until the client knows this set. */
async function told(client: SseTestClient, channels: string[]): Promise<SseTestEvent> {
  const event = await client.next({ type: 'sse:channels' });
  expect(placeOf(event).channels).toEqual(channels);
  expect(Object.values(placeOf(event).labels)).toEqual(channels);
  return event;
}

describe.each(ADAPTERS)(
  'A set of channels that changes while the stream is open, on %s',
  (adapter) => {
    afterEach(async () => {
      jest.restoreAllMocks();
      await closeApps();
      expect(open).toBe(0);
      asked.clear();
      onAsked = undefined;
    });

    const start = async (options: SseModuleOptions = {}) => {
      subscribed = 0;
      const { lines, logger } = errorLog();
      const app = await startApp({
        adapter,
        controllers: [SetController],
        options: { client: byUser, retry: 10, ...options },
        logger,
      });
      const closed: SseClosed[] = [];
      app.sse.connections$.subscribe((event: SseConnectionEvent) => {
        if (event.type === 'closed') closed.push(event);
      });
      const as = (user: string, path = '/set', lastEventId?: string) =>
        app.connect(path, {
          headers: { 'x-user': user },
          ...(lastEventId !== undefined && { lastEventId }),
        });
      return { ...app, as, lines, closed };
    };

    it('adds channels live, ends those that leave, and goes on with those that stay', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const client = await as('ann');
      await sse.send('a', 'a1');
      await sse.send('b', 'b1');
      await client.next();
      set$.next(['a', 'b']);
      await sse.send('a', 'a2');
      await sse.send('b', 'b2');
      await told(client, ['a', 'b']);
      // What comes before a change is still for the client, and what comes after it is not.
      void sse.send('a', 'a3');
      set$.next(['b', 'c']);
      void sse.send('a', 'a4');
      void sse.send('b', 'b4');
      void sse.send('c', 'c4');
      await told(client, ['b', 'c']);
      set$.next([]);
      await sse.send('b', 'b5');
      await told(client, []);
      set$.next(['a']);
      await sse.send('a', 'a6');
      const events = await client.until(({ data }) => data === 'a6').then(() => client.events);
      expect(
        events.map((event) =>
          event.type === 'sse:channels' ? placeOf(event).channels : event.data,
        ),
      ).toEqual(['a1', ['a', 'b'], 'a2', 'b2', 'a3', ['b', 'c'], 'b4', 'c4', [], ['a'], 'a6']);
      expect(events.every(({ id }) => id !== '')).toBe(true);
      expect(sse.stats()).toMatchObject({ connections: 1, readers: 1 });
    });

    it('coalesces sets that come at once, and says nothing when the set is the same', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const client = await as('ann');
      for (let i = 0; i < 1_000; i++) {
        set$.next(i % 2 ? ['a', `b${i}`] : ['a']);
      }
      set$.next(['a', 'z']);
      await told(client, ['a', 'z']);
      set$.next(['z', 'a', 'z']);
      await sse.send('z', 'hello');
      await client.until(({ data }) => data === 'hello');
      expect(client.events).toHaveLength(2);
      expect(sse.stats().readers).toBe(2);
    });

    it('opens with the first set, also when it is empty, and takes the latest of several', async () => {
      const { as, sse } = await start();
      sets$ = concat(of(['a'], ['b'], []), NEVER);
      const client = await as('ann');
      expect(placeOf(client.opening!)).toEqual({ channels: [], labels: {} });
      expect(sse.connections()[0]!.channels).toEqual([]);
      sets$ = concat(of('one'), NEVER);
      const one = await as('ann');
      expect(placeOf(one.opening!).channels).toEqual(['one']);
    });

    it('resumes what stayed when the client returns, and starts the rest live', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a', 'b']);
      sets$ = set$;
      const client = await as('ann');
      set$.next(['b', 'c']);
      await told(client, ['b', 'c']);
      await client.close();
      await until(() => open === 0);
      for (const channel of ['a', 'b', 'c', 'd']) {
        await sse.send(channel, `${channel} missed`);
      }
      set$.next(['a', 'b', 'c', 'd']);
      const again = await as('ann', '/set', client.lastEventId);
      expect(dataOf(await again.take(2))).toEqual(['b missed', 'c missed']);
      set$.next([]);
      await told(again, []);
      await again.close();
      await sse.send('a', 'nobody reads this');
      set$.next(['a', 'b']);
      const last = await as('ann', '/set', again.lastEventId);
      await sse.send('a', 'live');
      expect(dataOf(await last.take(1))).toEqual(['live']);
    });

    it('is seen by lists, hooks and commands as it is', async () => {
      const { as, sse, closed } = await start();
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      await as('ann');
      set$.next(['b']);
      expect(sse.connections({ channel: 'b' })).toHaveLength(1);
      expect(sse.connections({ channel: 'a' })).toEqual([]);
      await sse.disconnect({ channel: 'a' });
      expect(sse.connections()).toHaveLength(1);
      await sse.disconnect({ channel: 'b' }, { reason: 'closed' });
      await until(() => closed.length === 1);
      expect(closed[0]).toMatchObject({
        reason: 'revoked',
        detail: 'closed',
        connection: { channels: ['b'] },
      });
      expect(open).toBe(0);
    });

    it('leaves a blocked channel out, added or at the opening, and nothing of it is delivered', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const ann = await as('ann');
      const bob = await as('bob');
      await sse.disconnect({ client: 'ann', channel: 'b' }, { block: 60_000 });
      set$.next(['a', 'b']);
      await sse.send('b', 'secret');
      const denied = '{"channels":["b"]}';
      expect((await ann.next({ type: 'sse:denied' })).data).toBe(denied);
      await told(bob, ['a', 'b']);
      expect((await bob.next()).data).toBe('secret');
      const again = await as('ann');
      expect((await again.next({ type: 'sse:denied' })).data).toBe(denied);
      await sse.send('a', 'public');
      expect((await ann.next()).data).toBe('public');
      expect((await again.next()).data).toBe('public');
      expect(sse.stats()).toMatchObject({ connections: 3, readers: 4 });
      set$.next(['b']);
      await told(bob, ['b']);
      expect((await as('ann')).opened.status).toBe(204);
    });

    it('asks authorize about channels that are added, and leaves denied ones out', async () => {
      const { as, sse, lines } = await start();
      const set$ = new BehaviorSubject(['a', 'no:1']);
      sets$ = set$;
      const client = await as('ann', '/authorized');
      expect((await client.next()).data).toBe('{"channels":["no:1"]}');
      set$.next(['a', 'no:1', 'no:2', 'b']);
      await told(client, ['a', 'b']);
      expect((await client.next({ type: 'sse:denied' })).data).toBe('{"channels":["no:2"]}');
      expect(lines).toEqual([]);
      expect(sse.connections()[0]!.channels).toEqual(['a', 'b']);
      // Removed at once, while another channel waits for its answer; and not added when it is out again.
      set$.next(['b', 'ask:1', 'ask:2']);
      await told(client, ['b']);
      await until(() => asked.size === 2);
      set$.next(['b', 'ask:2']);
      asked.get('ask:1')!(true);
      asked.get('ask:2')!(true);
      await until(() => sse.connections()[0]!.channels.length === 2);
      await told(client, ['b', 'ask:2']);
      expect(sse.stats().readers).toBe(2);
    });

    it('asks again about a channel that leaves and comes back while an answer is awaited', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const client = await as('ann', '/authorized');
      set$.next(['a', 'ask:1']);
      const first = await until(() => asked.get('ask:1'));
      set$.next(['a']);
      set$.next(['a', 'ask:1']);
      first(true);
      const second = await until(() => asked.get('ask:1') !== first && asked.get('ask:1'));
      expect(sse.connections()[0]!.channels).toEqual(['a']);
      second(false);
      expect((await client.next()).data).toBe('{"channels":["ask:1"]}');
      expect(sse.stats().readers).toBe(1);
    });

    it('leaves time for all else when authorize makes the Observable emit', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a', 'no:1']);
      sets$ = set$;
      let questions = 0;
      // It has an end, so that a failure has one, too.
      onAsked = () => void (++questions < 100_000 && set$.next(['a', 'no:1']));
      const client = await as('ann', '/authorized');
      await sse.send('a', 'first');
      expect((await client.next({ type: 'message' })).data).toBe('first');
      expect(questions).toBeLessThan(100_000);
    });

    it('ends without a trace when authorize of an added channel never answers, or fails', async () => {
      const { as, sse, lines, closed } = await start();
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const waiting = await as('ann', '/authorized');
      set$.next(['a', 'ask:never']);
      await until(() => asked.size === 1);
      await waiting.close();
      await until(() => closed.length === 1 && open === 0);
      set$.next(['a']);
      const failing = await as('ann', '/authorized');
      set$.next(['a', 'fails:1']);
      await failing.closed;
      expect(lines).toEqual(['`authorize` of SetController.authorized failed: it fails']);
      await until(() => closed.length === 2);
      expect(closed[1]).toMatchObject({ reason: 'error' });
      expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    });

    it.each<[string, unknown, RegExp]>([
      [
        'an error',
        new Error('no roles'),
        /^The Observable of channels of SetController.set failed: no roles$/,
      ],
      ['a bad name', ['a', ''], /failed: A channel's name is empty/],
      [
        'no name',
        ['a', 7],
        /SetController.set emitted an array with 7 in it; it must emit a channel name or an array/,
      ],
      ['nothing', null, /SetController.set emitted null/],
      [
        'too many',
        Array.from({ length: 51 }, (_, i) => `${i}`),
        /raise `limits.channelsPerConnection`/,
      ],
      ['a full channel', ['a', 'full'], /"full" has 1 connections. Raise `limits.connectionsPerCh/],
      [
        'too many channels',
        ['a', 'x', 'y', 'z'],
        /All 4 channels are in use. Raise `limits.channels`/,
      ],
    ])('ends with a line in the log for %s, and leaves nothing behind', async (_, bad, line) => {
      const { as, sse, lines, closed } = await start({
        limits: { connectionsPerChannel: 1, channels: 4 },
      });
      sets$ = concat(of(['full']), NEVER);
      await as('bob');
      const set$ = new BehaviorSubject<string[]>(['a', 'b']);
      sets$ = set$;
      const client = await as('ann');
      if (bad instanceof Error) {
        set$.error(bad);
      } else {
        set$.next(bad as string[]);
      }
      expect((await client.closed).by).toBe('server');
      await until(() => closed.length === 1);
      expect(closed[0]!.reason).toBe('error');
      expect(lines).toEqual([expect.stringMatching(line)]);
      expect(open).toBe(1);
      expect(sse.stats()).toMatchObject({ connections: 1, readers: 1 });
    });

    it('stays as it is when the Observable completes, and ends with its last run', async () => {
      const { as, sse } = await start();
      const set$ = new BehaviorSubject(['a', 'b']);
      sets$ = set$;
      const client = await as('ann');
      await sse.complete('a');
      await sse.complete('b');
      expect(dataOf(await client.take(2))).toEqual(['[DONE]', '[DONE]']);
      set$.next(['a', 'b', 'c']);
      await told(client, ['a', 'b', 'c']);
      await client.close();
      const again = await as('ann', '/set', client.lastEventId);
      set$.complete();
      await sse.send('c', 'c1');
      await sse.complete('c');
      expect(dataOf(await again.take(2))).toEqual(['c1', '[DONE]']);
      await again.closed;
      sets$ = of(['a', 'b', 'c']);
      expect((await as('ann', '/set', again.lastEventId)).opened.status).toBe(204);
      // An Observable that may still add channels keeps the client.
      sets$ = concat(of(['a', 'b', 'c']), NEVER);
      expect((await as('ann', '/set', again.lastEventId)).opened.status).toBe(200);
    });

    it('answers before the first set as a resolver does', async () => {
      const { as, sse, lines } = await start();
      const status = async (observable: Observable<unknown>, path = '/set') => {
        sets$ = observable as Observable<string[]>;
        return (await as('ann', path)).opened.status;
      };
      expect(await status(EMPTY)).toBe(404);
      expect(await status(throwError(() => new Error('no roles')))).toBe(500);
      expect(await status(of(7))).toBe(500);
      expect(await status(of(['']))).toBe(400);
      expect(await status(of(Array.from({ length: 51 }, (_, i) => `${i}`)))).toBe(400);
      expect(await status(of(['no:1']), '/authorized')).toBe(403);
      expect(await status(concat(of(['a']), NEVER), '/handled')).toBe(500);
      expect(lines.length).toBeGreaterThan(0);
      await until(() => open === 0);
      expect(sse.stats()).toMatchObject({ connections: 0, opening: 0, readers: 0 });
      expect(subscribed).toBe(7);
    });

    it('brings the state of a channel that is added, and counts who is present', async () => {
      const { as, sse } = await start({ presenceGrace: 0 });
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const client = await as('ann', '/state');
      expect((await client.next({ type: 'sse:snapshot' })).data).toContain('{"of":"a"}');
      await sse.send('b', 'before');
      set$.next(['b']);
      await told(client, ['b']);
      // Until it has the state, the client has no position in the channel, nor in the one that has left.
      const { data, id } = await client.next({ type: 'sse:snapshot' });
      expect(data).toContain('{"of":"b"}');
      await sse.send('b', 'after');
      expect((await client.next()).data).toBe('after');
      expect(id.split(',')).toHaveLength(1);
      const count = async (channel: string) => (await sse.presenceStats(channel)).members;
      await until(async () => (await count('a')) === 0 && (await count('b')) === 1);
      set$.next([]);
      await told(client, []);
      await until(async () => (await count('b')) === 0);
    });

    it('opens and closes feeds as the set has them', async () => {
      const { as } = await start({ linger: 0 });
      const set$ = new BehaviorSubject<string[]>([]);
      sets$ = set$;
      const clients = [await as('ann', '/fed'), await as('bob', '/fed')];
      for (let i = 0; i < 200; i++) {
        set$.next(['a', 'b', 'c', 'd'].filter((_, nth) => (i * 7 + nth * 3) % 5 > 1));
        if (i % 10 === 0) {
          await until(() => [...feeds].sort().join() === set$.value.join());
        }
      }
      set$.next(['c']);
      await until(() => [...feeds].join() === 'c');
      await Promise.all(clients.map((client) => client.close()));
      await until(() => feeds.size === 0);
    });

    it('takes sets that come while it changes', async () => {
      const { as, sse } = await start({ linger: 0 });
      const set$ = new BehaviorSubject(['a', 'b']);
      sets$ = set$;
      const client = await as('ann', '/fed');
      const seen: string[] = [];
      const then: Record<string, string[]> = {
        'pause a': ['b', 'c', 'd'],
        'open c': ['b', 'd', 'e'],
        'open e': ['e'],
      };
      onFeed = (what) => {
        const set = then[what];
        if (set && !seen.includes(what)) {
          seen.push(what);
          set$.next(set);
        }
      };
      set$.next(['b', 'z']);
      await client.until(({ data }) => data.includes('["e"]'));
      expect(seen).toEqual(Object.keys(then));
      expect(sse.connections()[0]!.channels).toEqual(['e']);
      await until(() => [...feeds].join() === 'e');
      // A source may end the very connection that it is opened for.
      onFeed = (what) => {
        if (what === 'open f') void sse.disconnect({ client: 'ann' });
      };
      set$.next(['e', 'f', 'g']);
      await client.closed;
      onFeed = undefined;
      await until(() => feeds.size === 0);
      expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    });

    it('is not waited for when the application ends', async () => {
      const { as, sse } = await start();
      sets$ = new Subject();
      const connecting = as('ann');
      await until(() => open === 1);
      await closeApps();
      expect((await connecting).opened.status).toBe(200);
      expect(sse.stats()).toMatchObject({ connections: 0, opening: 0 });
    });
  },
);

describe('A set that changes, with commands of another instance', () => {
  afterEach(closeApps);

  it('is ended by a command for a channel that was added, and a block leaves one out', async () => {
    const redis = await startRedis();
    try {
      const startOne = () =>
        startApp({
          controllers: [SetController],
          options: { client: byUser, broker: 'redis', redis: redis.url, revocation: true },
        });
      const [one, other] = [await startOne(), await startOne()];
      const set$ = new BehaviorSubject(['a']);
      sets$ = set$;
      const [ann, bob] = await Promise.all(
        ['ann', 'bob'].map((user) => one.connect('/set', { headers: { 'x-user': user } })),
      );
      await other.sse.disconnect({ client: 'ann', channel: 'b' }, { block: 60_000 });
      // What is sent to all comes after the command.
      await other.sse.send('a', 'after the command');
      await Promise.all([ann!.next(), bob!.next()]);
      set$.next(['a', 'b']);
      await told(bob!, ['a', 'b']);
      await other.sse.send('b', 'secret');
      expect((await ann!.next({ type: 'sse:denied' })).data).toBe('{"channels":["b"]}');
      expect((await bob!.next()).data).toBe('secret');
      await other.sse.send('a', 'after the secret');
      expect((await ann!.next({ type: 'message' })).data).toBe('after the secret');
      await other.sse.disconnect({ channel: 'b' });
      await other.sse.send('b', 'later');
      expect((await bob!.closed).by).toBe('server');
      expect(dataOf(bob!.events)).not.toContain('later');
    } finally {
      await closeApps();
      await redis.stop();
    }
    expect(open).toBe(0);
  });
});
