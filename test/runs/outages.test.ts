import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { BehaviorSubject, lastValueFrom, of, toArray, type Observable } from 'rxjs';
import { SseChannel, type Broker, type RunStore, type SseEvent } from '../../lib/index.js';
import { Guard } from '../../lib/channel/guard.js';
import { Runs } from '../../lib/runs/runs.js';
import { checkedRuns } from '../../lib/sources/custom/custom-runs.js';
import { MemoryRuns } from '../../lib/sources/memory/memory-runs.js';
import { Random } from '../channel/random.js';
import { closeApps, startApp, type AppOptions } from '../support/start-app.js';
import { until } from '../support/until.js';

const all = (events$: Observable<SseEvent>) =>
  lastValueFrom(events$.pipe(toArray())).then((events) =>
    events.map(({ type, data }) => (type === undefined ? data : [type, data])),
  );

@Controller()
class FollowController {
  @Sse('follow')
  @SseChannel('chat', { run: true })
  follow() {}
}

/** A broker of the application with this store. */
const brokerOf = (store: unknown): Broker => ({
  open: (_channel, sink) => (sink.live(), { close: () => undefined }),
  publish: () => Promise.resolve('1'),
  openRuns: () => store as RunStore,
});

const start = (store: unknown, logger: AppOptions['logger'] = false) =>
  startApp({
    logger,
    options: { drainTimeout: 0, broker: brokerOf(store) },
    controllers: [FollowController],
  });

const fails = () => {
  throw new Error('it fails');
};

/** A store that can be away. Instances may share it. */
class AwayRuns extends MemoryRuns {
  isAway = false;

  override async append(...args: Parameters<MemoryRuns['append']>) {
    this.checkAway();
    return super.append(...args);
  }

  override async read(...args: Parameters<MemoryRuns['read']>) {
    this.checkAway();
    return super.read(...args);
  }

  override async end(...args: Parameters<MemoryRuns['end']>) {
    this.checkAway();
    return super.end(...args);
  }

  override async close() {}

  private checkAway(): void {
    if (this.isAway) {
      throw new Error('The store is away.');
    }
  }
}

describe('A run', () => {
  afterEach(closeApps);

  it('has every chunk once when calls fail before and after they have done their work', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    // eslint-disable-next-line no-console
    console.log(`SEED=${seed}`);
    const random = new Random(seed);
    const nextFault = random.deck(['before', 'after', ...Array.from({ length: 6 }, () => 'none')]);
    class FlakyRuns extends MemoryRuns {
      failures = 0;
      override begin(...args: Parameters<MemoryRuns['begin']>) {
        return this.flaky(() => super.begin(...args));
      }
      override append(...args: Parameters<MemoryRuns['append']>) {
        return this.flaky(() => super.append(...args));
      }
      override read(...args: Parameters<MemoryRuns['read']>) {
        return this.flaky(() => super.read(...args));
      }
      private async flaky<T>(call: () => Promise<T>): Promise<T> {
        const fault = nextFault();
        const answer = fault === 'before' ? undefined : await call();
        if (fault !== 'none') {
          this.failures++;
          throw new Error('connection lost');
        }
        return answer!;
      }
    }
    const store = new FlakyRuns();
    const { sse } = await start(store);
    const counts: number[] = [];
    const runs = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        sse.run(`chat:${index}`, async function* () {
          // At least 30 chunks, and until enough calls have failed.
          for (let n = 0; n < 30 || store.failures <= 20; n++) {
            yield `${index}:${n}`;
            counts[index] = n + 1;
            await sleep(random.below(2));
          }
        }),
      ),
    );
    for (const [index, { events$, done }] of runs.entries()) {
      expect(await done).toEqual({ reason: 'completed', chunks: counts[index]! + 1 });
      expect(await all(events$)).toEqual([
        ...Array.from({ length: counts[index]! }, (_, n) => `${index}:${n}`),
        '[DONE]',
      ]);
    }
    expect(store.failures).toBeGreaterThan(20);
  });

  it('is lost for an instance that hears of its end after a freeze', async () => {
    const store = new AwayRuns();
    const { sse } = await start(store);
    const run = await sse.run('chat', new BehaviorSubject('a'), { lease: 1_000 });
    const woken = performance.now() + 1_100;
    while (performance.now() < woken) {
      // No timer of the process runs.
    }
    const { id, channel } = run;
    await store.end({ id, channel }, [{ data: 'lost' }, { data: '[DONE]', end: true }], true);
    expect(await run.done).toMatchObject({ reason: 'lost' });
    expect(run.signal.aborted).toBe(true);
  });

  it('pauses its source while the store is away, and goes on when it is back', async () => {
    const store = new AwayRuns();
    const { sse } = await start(store);
    let emitted = 0;
    const run = await sse.run('chat', async function* () {
      for (; emitted < 100; emitted++) {
        yield String(emitted).padStart(32_768, '0');
        if (emitted === 0) {
          await until(() => store.isAway);
        }
      }
    });
    store.isAway = true;
    let before = -1;
    await until(async () => {
      const isStill = emitted > 0 && before === emitted;
      before = emitted;
      await sleep(20);
      return isStill;
    });
    expect(emitted).toBeLessThan(20);
    store.isAway = false;
    expect(await run.done).toEqual({ reason: 'completed', chunks: 101 });
    expect((await all(run.events$)).slice(0, 100).map(Number)).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    );
  });

  it('pauses a source whose chunks are without data as well', async () => {
    const store = new AwayRuns();
    store.isAway = true;
    const { sse } = await start(store);
    let emitted = 0;
    const begun = sse.run('chat', async function* () {
      for (; emitted < 100_000; emitted++) {
        yield '';
      }
    });
    let before = -1;
    await until(
      () => {
        const isStill = emitted > 0 && before === emitted;
        before = emitted;
        return isStill;
      },
      { every: 50 },
    );
    expect(emitted).toBeLessThan(20_000);
    store.isAway = false;
    expect(await (await begun).done).toEqual({ reason: 'completed', chunks: 100_001 });
  });

  it('is lost when the store is away for longer than its lease, and ends for those who follow', async () => {
    const store = new AwayRuns();
    const [one, two] = [await start(store), await start(store)];
    const source = new BehaviorSubject('first');
    const run = await one.sse.run('chat', source, { lease: 1_000 });
    const followers = [await one.connect('/follow'), await two.connect('/follow')];
    await Promise.all(followers.map((client) => client.next()));
    store.isAway = true;
    source.next('never stored');
    expect(await run.done).toMatchObject({ reason: 'lost' });
    expect(run.signal.aborted).toBe(true);
    expect(source.observed).toBe(false);
    store.isAway = false;
    for (const client of followers) {
      await client.closed;
      const [, lost, end, ...more] = client.events;
      expect([lost?.type, lost && (JSON.parse(lost.data) as object)]).toEqual([
        'sse:error',
        { reason: 'lost', message: expect.any(String) },
      ]);
      expect([end?.data, more]).toEqual(['[DONE]', []]);
    }
  });

  it('whose instance is gone is ended by whoever comes, and does not stay in the way', async () => {
    const store = new AwayRuns();
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const others = { log() {}, error() {}, debug() {}, verbose() {}, fatal() {} };
    const { sse, connect } = await start(store, { ...others, warn });
    const dead = { channel: 'chat', id: 'dead', format: 'default', lease: 50, keep: 60_000 };
    await store.begin(dead);
    await store.append({ channel: 'chat', id: 'dead', after: 0, chunks: [{ data: 'one' }] });
    await until(async () => (await store.find('chat'))!.leaseLeft <= 0);
    expect((await connect('/follow')).opened.status).toBe(204);
    const resumed = await connect('/follow', { lastEventId: 'dead.0' });
    await resumed.closed;
    expect(resumed.events.map(({ type }) => type)).toEqual(['message', 'sse:error', 'message']);
    expect(JSON.parse(resumed.events[1]!.data)).toMatchObject({ reason: 'lost' });
    const other = { ...dead, channel: 'other', id: 'dead2' };
    await store.begin(other);
    await until(async () => (await store.find('other'))!.leaseLeft <= 0);
    expect((await sse.run('other', new BehaviorSubject(1))).id).not.toBe('dead2');
    expect((await store.find('other', 'dead2'))!.hasEnded).toBe(true);
    expect(warnings.filter((line) => line.includes('is lost'))).toEqual([
      expect.stringContaining('The run dead of the channel "chat" is lost'),
      expect.stringContaining('The run dead2 of the channel "other" is lost'),
    ]);
  });

  it('tells its readers when the store has lost it', async () => {
    const store = new AwayRuns();
    const { sse, connect } = await start(store);
    const source = new BehaviorSubject('first');
    const run = await sse.run('chat', source, { lease: 1_000 });
    const client = await connect('/follow');
    await client.next();
    await MemoryRuns.prototype.close.call(store);
    source.next('second');
    expect(await run.done).toMatchObject({ reason: 'lost' });
    expect(run.signal.aborted).toBe(true);
    await client.closed;
    expect(client.events.map(({ type }) => type)).toEqual(['message', 'sse:error', 'message']);
    expect(JSON.parse(client.events[1]!.data)).toMatchObject({ reason: 'lost' });
  });

  it('tells its readers when the store has lost nothing but its end', async () => {
    class EndlessRuns extends MemoryRuns {
      override follow() {
        return () => undefined;
      }
      override async read(...args: Parameters<MemoryRuns['read']>) {
        return (await super.read(...args))?.filter(({ end }) => end !== true);
      }
    }
    const { sse } = await start(new EndlessRuns());
    const run = await sse.run('chat', of('first'), { lease: 1_000 });
    expect(await run.done).toMatchObject({ reason: 'completed' });
    const [first, [type, data] = [], end] = await all(run.events$);
    expect([first, type, end]).toEqual(['first', 'sse:error', '[DONE]']);
    expect(data).toMatchObject({ reason: 'lost' });
  });

  it('does not wait for a client that never reads', async () => {
    const { sse, connect } = await start(new MemoryRuns());
    const source = new BehaviorSubject('first');
    await sse.run('chat', source);
    const stuck = await connect('/follow');
    const reads = await connect('/follow');
    await stuck.next();
    stuck.pause();
    for (let n = 0; n < 30; n++) {
      source.next(String(n).padStart(262_144, '0'));
      await sleep(0);
    }
    source.complete();
    await reads.closed;
    const data = reads.events.map((event) => event.data);
    expect(data).toHaveLength(32);
    expect(data.slice(1, 31).map(Number)).toEqual(Array.from({ length: 30 }, (_, n) => n));
    stuck.resume();
    await stuck.closed;
    expect(stuck.events.map((event) => event.data)).toEqual(data);
  });

  it('ends with a general error when errorMessage fails, or gives no text', async () => {
    const { sse } = await start(new MemoryRuns());
    const messages = [
      () => {
        throw new Error('secret');
      },
      () => undefined as unknown as string,
      (() => Promise.reject(new Error('secret'))) as unknown as () => string,
    ];
    for (const errorMessage of messages) {
      const source = new BehaviorSubject('first');
      const run = await sse.run('chat', source, { errorMessage });
      source.error(new Error('secret'));
      const events = await all(run.events$);
      expect(events).toHaveLength(3);
      expect(JSON.stringify(events)).not.toContain('secret');
    }
  });

  it('that begins while the application shuts down has not begun, and leaves the channel free', async () => {
    const answers: (() => void)[] = [];
    class SlowRuns extends MemoryRuns {
      override async begin(...args: Parameters<MemoryRuns['begin']>) {
        const record = await super.begin(...args);
        await new Promise<void>((resolve) => answers.push(resolve));
        return record;
      }

      override async close() {
        isClosed = true;
      }
    }
    let isClosed = false;
    let isRead = false;
    const store = new SlowRuns();
    const { app, sse } = await start(store);
    const run = sse.run('chat', () => {
      isRead = true;
      return new BehaviorSubject(1);
    });
    await until(() => answers.length === 1);
    const closed = app.close();
    await until(() =>
      sse.stop('other').then(
        () => false,
        () => true,
      ),
    );
    expect(isClosed).toBe(false);
    answers[0]!();
    await expect(run).rejects.toMatchObject({ code: 'CLOSED' });
    await closed;
    expect(await store.find('chat')).toMatchObject({ hasEnded: true });
    expect(isRead).toBe(false);
  });

  it('that cannot begin is not tried again once the application shuts down', async () => {
    let calls = 0;
    const store = Object.assign(new MemoryRuns(), {
      begin: async () => {
        calls++;
        throw new Error('The store is away.');
      },
    });
    const { app, sse } = await start(store);
    const runs = Array.from({ length: 20 }, (_, n) => sse.run(`chat:${n}`, new BehaviorSubject(1)));
    await until(() => calls >= 20);
    await app.close();
    for (const run of runs) {
      await expect(run).rejects.toMatchObject({ code: 'CLOSED' });
    }
  });

  it('ends when the store cannot follow it, and does not stay active', async () => {
    const store = Object.assign(new MemoryRuns(), {
      follow: () => {
        throw new Error('no followers');
      },
    });
    const { app, sse } = await start(store);
    await expect(sse.run('chat', new BehaviorSubject(1))).rejects.toThrow('no followers');
    expect(await store.find('chat')).toMatchObject({ hasEnded: true });
    expect(app.get(Runs).size).toBe(0);
  });

  it.each([
    ['throws', () => fails()],
    ['rejects', async () => fails()],
  ])('ends for those who follow when the function that ends follow() %s', async (_, end) => {
    const errors: string[] = [];
    const store = new MemoryRuns();
    const { follow } = store;
    store.follow = (...args) => (follow.apply(store, args), end);
    const { sse } = await start(store, {
      log: () => undefined,
      warn: () => undefined,
      error: (line: string) => errors.push(line),
    });
    const source = new BehaviorSubject('a');
    const run = await sse.run('chat', source);
    const followed = all(run.events$);
    source.complete();
    expect(await run.done).toMatchObject({ reason: 'completed' });
    expect(await followed).toEqual(['a', '[DONE]']);
    await closeApps();
    // Jest would fail the test for a rejection that nobody handles.
    expect(errors[0]).toBe("The end of the run store's follow() failed: it fails");
  });

  it.each(['fails', 'answers late'])(
    'has its lease from the call that began it, where the store %s for longer than that',
    async (how) => {
      const isBackAt = Date.now() + 1_100;
      class AwakeningRuns extends MemoryRuns {
        override async begin(...args: Parameters<MemoryRuns['begin']>) {
          if (how === 'answers late') {
            await sleep(1_100);
          } else if (Date.now() < isBackAt) {
            throw new Error('The store is away.');
          }
          return super.begin(...args);
        }
      }
      const { sse } = await start(new AwakeningRuns());
      const source = new BehaviorSubject('first');
      const run = await sse.run('chat', source, { lease: 1_000 });
      source.complete();
      expect(await run.done).toMatchObject({ reason: 'completed' });
    },
  );

  it('is refused with the reason when others keep beginning runs', async () => {
    let others = 0;
    class BusyRuns extends MemoryRuns {
      override async begin(run: Parameters<MemoryRuns['begin']>[0]) {
        return super.begin(run.channel === 'chat' ? { ...run, id: `other-${others++}` } : run);
      }
    }
    const { sse } = await start(new BusyRuns());
    const run = sse.run('chat', new BehaviorSubject(1), { replace: true });
    await expect(run).rejects.toMatchObject({
      code: 'RUN_ACTIVE',
      message: expect.stringContaining('Others keep beginning runs in it: 8 were ended'),
    });
  });

  it.each(['default', 'ai-sdk'] as const)(
    "ends as failed, and as stopped, though the text is too large for an event: '%s'",
    async (format) => {
      const { sse } = await startApp({ options: { drainTimeout: 0, limits: { eventSize: 100 } } });
      const source = new BehaviorSubject<unknown>({ type: 'start' });
      const failing = await sse.run('chat', source, { format, errorMessage: () => 'ü'.repeat(99) });
      source.error(new Error('secret'));
      expect(JSON.stringify(await all(failing.events$))).toContain('This could not be finished.');
      const stopped = await sse.run('chat', new BehaviorSubject({ type: 'start' }), { format });
      await sse.stop('chat', { reason: '\u0001'.repeat(99) });
      expect(JSON.stringify(await all(stopped.events$))).toMatch(/sse:stopped|abort/);
      for (const reason of ['x'.repeat(1_025), 5 as never]) {
        await expect(sse.stop('chat', { reason })).rejects.toMatchObject({
          code: 'INVALID_OPTION',
          message: expect.stringContaining('1,024'),
        });
      }
    },
  );

  it('refuses a store that is none, and holds one to its contract', async () => {
    for (const store of [undefined, {}, Promise.resolve(new MemoryRuns())]) {
      await expect(start(store)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    }
    const { sse } = await start(Object.assign(new MemoryRuns(), { find: async () => ({ id: 5 }) }));
    await expect(sse.stop('chat')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('takes no answer of read() that is no array', async () => {
    class WrongRuns extends MemoryRuns {
      isWrong = true;
      override async read(...args: Parameters<MemoryRuns['read']>) {
        return this.isWrong ? ('chunks' as never) : super.read(...args);
      }
    }
    const store = new WrongRuns();
    const checked = checkedRuns(store, new Guard(console));
    const run = { channel: 'chat', id: '1', format: 'default', lease: 60_000, keep: 60_000 };
    await checked.begin(run);
    await expect(checked.read(run, 0, 10)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('it must be an array of chunks'),
    });
    store.isWrong = false;
    expect(await checked.read(run, 0, 10)).toEqual([]);
  });
});
