import { setImmediate, setTimeout } from 'node:timers/promises';
import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BehaviorSubject } from 'rxjs';
import { SseChannel, type SseService, type SseSnapshot } from '../../lib/index.js';
import type { SseTestClient } from '../../lib/testing/index.js';
import { Random } from '../channel/random.js';
import { stopAll } from '../event-table/event-table-rig.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { SYSTEMS, type System } from './systems.js';

const KEYS = 500;
const CLIENTS = sized({ quick: 16, soak: 200 });
const CHANGES = sized({ quick: 1_000, soak: 10_000 });
const PATHS = ['/one', '/both', '/changing', '/one'];
const DEADLINE = { deadline: sized({ quick: 60_000, soak: 400_000 }) };

type State = Record<string, number>;

/** The state of each channel: what it would be in a database, shared by all instances. */
const states: Record<string, State> = { a: {}, b: {} };

/** The channels of `/changing`, of which one comes and goes. */
const set$ = new BehaviorSubject(['a', 'b']);

async function snapshot(channel: string): Promise<State> {
  await setTimeout(Math.random() * 5);
  return states[channel]!;
}

@Controller()
class CountersController {
  @Sse('one')
  @SseChannel('a', { snapshot })
  one() {}

  @Sse('both')
  @SseChannel(() => ['a', 'b'], { snapshot })
  both() {}

  @Sse('changing')
  @SseChannel(() => set$, { snapshot })
  changing() {}
}

/** Changes states at about 1,000 changes a second, and sends each change. */
class Changes {
  sent = 0;
  private isStopped = false;
  private readonly running: Promise<void>;

  constructor(apps: readonly TestApp[]) {
    this.running = this.run(apps.map(({ sse }) => sse));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }

  private async run(instances: readonly SseService[]): Promise<void> {
    while (!this.isStopped) {
      const batch = Array.from({ length: 10 }, () => this.change(instances));
      await Promise.all([...batch, setTimeout(10)]);
    }
  }

  private async change(instances: readonly SseService[]): Promise<void> {
    const value = ++this.sent;
    const channel = value % 4 === 0 ? 'b' : 'a';
    const key = `k${(value * 31) % KEYS}`;
    states[channel]![key] = value;
    // A key is always changed on the same instance, which keeps the order of its events.
    const sse = instances[((value * 31) % KEYS) % instances.length]!;
    // While the broker has failed over, it refuses for a moment.
    while (!(await sse.send(channel, { key, value }).then(isDone, isRefused))) {
      await setTimeout(20);
    }
  }
}

const isDone = () => true;
const isRefused = () => false;

/** A page that keeps states, and comes and goes. */
class Page {
  readonly states: Record<string, State> = {};
  fresh = 0;
  resumed = 0;
  resets = 0;
  /** How often a channel was added to the open stream. */
  added = 0;
  snapshots = 0;
  /** Events that came for a channel whose state it does not have. */
  early = 0;
  private client: SseTestClient | undefined;
  private taken = 0;
  private readonly lacking = new Set<string>();

  constructor(
    private readonly apps: readonly TestApp[],
    readonly path: string,
    private readonly random: Random,
  ) {}

  async run(isOver: () => boolean): Promise<void> {
    await this.connect();
    while (!isOver()) {
      const goal = this.taken + this.random.below(150);
      while (!isOver() && (this.taken < goal || this.lacking.size > 0)) {
        await setTimeout(5);
        this.look();
      }
      await this.client!.close();
      this.look();
      await this.connect();
    }
  }

  look(): void {
    const { events } = this.client!;
    for (; this.taken < events.length; this.taken++) {
      const { type, data } = events[this.taken]!;
      const { channel, state, channels, key, value } = JSON.parse(data) as SseSnapshot<State> & {
        channels: string[];
        key: string;
        value: number;
      };
      if (type === 'sse:reset') {
        this.resets++;
        this.lacking.add(channel);
      } else if (type === 'sse:snapshot') {
        this.snapshots++;
        this.lacking.delete(channel);
        this.states[channel] = state;
      } else if (type === 'sse:channels') {
        this.setChanged(channels);
      } else if (this.states[value % 4 === 0 ? 'b' : 'a']) {
        this.states[value % 4 === 0 ? 'b' : 'a']![key] = value;
      } else {
        this.early++;
      }
    }
  }

  private setChanged(channels: readonly string[]): void {
    if (channels.includes('b')) {
      this.added++;
      this.lacking.add('b');
    } else {
      this.lacking.delete('b');
      delete this.states['b'];
    }
  }

  get isOpen(): boolean {
    return this.client!.isOpen;
  }

  get channels(): string[] {
    return this.path === '/one' ? ['a'] : ['a', 'b'];
  }

  /** Returns as a browser does, or without its position, or with one that nobody knows. */
  async connect(): Promise<void> {
    const lot = this.random.next();
    const known = this.client?.lastEventId;
    const lastEventId = lot < 0.15 ? '' : lot < 0.3 ? 'unknown' : (known ?? '');
    if (lastEventId === '') {
      this.fresh++;
      this.channels.forEach((channel) => this.lacking.add(channel));
    } else if (lastEventId === known) {
      this.resumed++;
    }
    const app = this.apps[this.random.below(this.apps.length)]!;
    this.taken = 0;
    this.client = await app.connect(this.path, {
      ...DEADLINE,
      ...(lastEventId !== '' && { lastEventId }),
    });
  }
}

/** Where the events are. */
describe.each(Object.keys(SYSTEMS))('State and changes with %s', (name) => {
  let system: System;
  beforeAll(async () => void (system = await SYSTEMS[name]!()));
  afterEach(async () => {
    await closeApps();
    await stopAll();
  });
  afterAll(() => system.stop());

  it(
    'are the final state for each client that opens, returns and is reset under changes',
    async () => {
      const seed = Number(process.env['SEED'] ?? Date.now() & 0x7fffffff);
      const random = new Random(seed);
      const start = (adapter: 'express' | 'fastify') =>
        startApp({
          adapter,
          controllers: [CountersController],
          options: { ...system.options, failFast: true, retry: 50, retain: { events: 200 } },
        });
      const apps =
        name === 'memory'
          ? [await start(random.chance(0.5) ? 'express' : 'fastify')]
          : [await start('express'), await start('fastify')];
      const changes = new Changes(apps);
      const pages = Array.from(
        { length: CLIENTS },
        (_, nth) => new Page(apps, PATHS[nth % 4]!, random),
      );
      let isOver = false;
      const changing = setInterval(
        () => set$.next(set$.value.length === 1 ? ['a', 'b'] : ['a']),
        50,
      );
      const running = Promise.all(pages.map((page) => page.run(() => isOver)));
      const sum = (of: (page: Page) => number) => pages.reduce((all, page) => all + of(page), 0);
      await until(() => changes.sent >= CHANGES / 2, DEADLINE);
      await system.forget();
      await until(
        () =>
          changes.sent >= CHANGES &&
          sum(({ resumed }) => resumed) > 0 &&
          sum(({ resets }) => resets) > 0 &&
          sum(({ added }) => added) > 0,
        DEADLINE,
      );
      clearInterval(changing);
      set$.next(['a', 'b']);
      isOver = true;
      await running;
      await changes.stop();
      const isFinal = (page: Page) =>
        page.channels.every((channel) => {
          const own = page.states[channel] ?? {};
          const wanted = Object.entries(states[channel]!);
          return wanted.every(([key, value]) => own[key] === value);
        });
      // A lost history may end streams; browsers return by themselves.
      await until(
        async () => {
          for (const page of pages) {
            page.look();
            if (!page.isOpen) await page.connect();
          }
          await setImmediate();
          return pages.every(isFinal);
        },
        { ...DEADLINE, what: `the final state for each client (SEED=${seed})` },
      ).catch((error: unknown) => {
        expect({ seed, notFinal: pages.filter((page) => !isFinal(page)).length }).toEqual({
          seed,
          notFinal: 0,
        });
        throw error;
      });
      expect(sum(({ early }) => early)).toBe(0);
      // Where the set changes while a client is away, it may return to a channel that was added.
      for (const page of pages.filter(({ path }) => path !== '/changing')) {
        // Those that resume exactly receive none.
        const due = page.fresh * page.channels.length + page.resets;
        expect(page.snapshots).toBeLessThanOrEqual(due);
      }
    },
    sized({ quick: 180_000, soak: 900_000 }),
  );
});
