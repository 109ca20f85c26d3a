import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { SseTestClient } from '../../lib/testing/index.js';
import { Random } from '../channel/random.js';
import { endAppProcesses, startAppProcess, type AppProcess } from '../redis/app-process.js';
import { bundled } from '../support/compiled.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { connectAs, Crowd } from './crowd.js';
import { byHeader, RoomsController } from './rooms.js';
import { DURABLE_SYSTEMS, type DurableSystem } from './systems.js';
import { expectByTurns, movesOf, untilPresent } from './watched.js';

const TIMEOUT = sized({ quick: 3_000, soak: 15_000 });
const USERS = Array.from({ length: 12 }, (_, nth) => `user ${nth}`);
const KINDS = ['kill', 'freeze', 'freeze for long', 'cut', 'away', 'restart', 'kill'] as const;
/** For how long something goes on, in milliseconds. */
const KILLING = sized({ quick: 1, soak: 60_000 });

/** Instances in processes of their own, and what happens to them and to their system. */
class Kills {
  readonly counts: Record<string, number> = {};
  /** How long it took until the members of killed instances had left, in milliseconds. */
  readonly leaving: number[] = [];
  private readonly instances = new Set<AppProcess>();
  private readonly frozen = new Set<AppProcess>();
  private readonly later: Promise<void>[] = [];

  constructor(
    private readonly system: DurableSystem,
    private readonly random: Random,
    private readonly watcher: SseTestClient,
    private readonly startOne: (proxied: boolean) => Promise<AppProcess>,
  ) {}

  /** Those that answer. */
  get awake(): readonly AppProcess[] {
    return [...this.instances].filter((one) => !this.frozen.has(one));
  }

  async start(): Promise<void> {
    this.instances.add(await this.startOne(this.random.chance(0.5)));
  }

  /** All kinds, in a random order. */
  async cycle(): Promise<void> {
    const kinds: (typeof KINDS)[number][] = [...KINDS];
    while (kinds.length > 0) {
      const [kind] = kinds.splice(this.random.below(kinds.length), 1);
      this.counts[kind!] = (this.counts[kind!] ?? 0) + 1;
      await this[kind!]();
      await sleep(this.random.below(600));
    }
  }

  /** Resolves when all instances run, and everybody has left who was on a killed one. */
  async rest(): Promise<void> {
    await Promise.all(this.later.splice(0));
  }

  private pick(): AppProcess {
    const { awake } = this;
    return awake[this.random.below(awake.length)]!;
  }

  /** Kills an instance with a member who does not return, and starts another one. */
  private async kill(): Promise<void> {
    const instance = this.pick();
    const user = `killed ${this.counts['kill']}`;
    await connectAs(user, instance.url);
    await until(() => this.movesOf(user) === '+', { deadline: 60_000 });
    this.instances.delete(instance);
    await instance.end('SIGKILL');
    const killed = performance.now();
    this.later.push(
      until(() => this.movesOf(user) === '+-', { deadline: 60_000 }).then(
        () => void this.leaving.push(Math.round(performance.now() - killed)),
      ),
    );
    this.later.push(this.start());
  }

  private async freeze(): Promise<void> {
    this.freezeFor(this.random.below(TIMEOUT / 3));
  }

  private async 'freeze for long'(): Promise<void> {
    this.freezeFor(TIMEOUT + this.random.below(2_000));
  }

  private freezeFor(time: number): void {
    const instance = this.pick();
    this.frozen.add(instance);
    process.kill(instance.pid, 'SIGSTOP');
    const goOn = (): void => {
      process.kill(instance.pid, 'SIGCONT');
      this.frozen.delete(instance);
    };
    this.later.push(sleep(time).then(goOn));
  }

  private async cut(): Promise<void> {
    for (let cuts = 0; cuts < 5; cuts++) {
      this.system.proxy.cut();
      await sleep(this.random.below(60));
    }
  }

  private async away(): Promise<void> {
    this.system.proxy.refuse();
    this.system.proxy.cut();
    await sleep(this.random.below(1_500));
    this.system.proxy.accept();
  }

  private async restart(): Promise<void> {
    await this.system.kill();
    await sleep(this.random.below(500));
    await this.system.start();
  }

  private movesOf(user: string): string | undefined {
    return movesOf(this.watcher.events)[user];
  }
}

describe.each(Object.keys(DURABLE_SYSTEMS))('Presence through kills by %s', (name) => {
  let system: DurableSystem;

  afterEach(async () => {
    await closeApps();
    await endAppProcesses();
    await system.stop();
  });

  it('lists at rest who is connected, and has told of each join and leave once', async () => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`SEED=${seed}`);
    const random = new Random(seed);
    system = await DURABLE_SYSTEMS[name]!();
    const options = (proxied: boolean) => ({
      ...system.options('kills', proxied),
      presenceGrace: 500,
      presenceTimeout: TIMEOUT,
    });
    const here = await startApp({
      controllers: [RoomsController],
      options: { ...options(true), client: byHeader, failFast: true },
    });
    const watcher = await here.connect('/rooms/a');
    const kills = new Kills(system, random, watcher, (proxied) =>
      startAppProcess('', { SSE_OPTIONS: JSON.stringify(options(proxied)) }, [
        bundled('test/presence/app.ts'),
      ]),
    );
    await Promise.all(Array.from({ length: 4 }, () => kills.start()));
    const crowd = new Crowd(random, USERS, () => {
      const urls = [here.url, ...kills.awake.map(({ url }) => url)];
      return urls[random.below(urls.length)]!;
    });
    let cycles = 0;
    try {
      for (let time = 0; time < KILLING; cycles++) {
        const began = performance.now();
        const moving = crowd.move();
        await kills.cycle();
        time += performance.now() - began;
        await kills.rest();
        await crowd.rest();
        await moving;
        await untilPresent(here.sse, 'a', crowd.present);
        await here.sse.send('a', `end ${cycles}`);
        await watcher.until(({ data }) => data === `end ${cycles}`);
        await expectByTurns(watcher, crowd.present);
      }
    } finally {
      await crowd.end();
    }
    const all = Object.values(movesOf(watcher.events)).join('');
    const [joins, leaves] = [all.replaceAll('-', '').length, all.replaceAll('+', '').length];
    const latest = Math.max(...kills.leaving);
    console.log({ cycles, moves: crowd.moves, joins, leaves, latest, ...kills.counts });
    expect(kills.leaving.length).toBe(2 * cycles);
  });
});
