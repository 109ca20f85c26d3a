import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { SseTestClient } from '../../lib/testing/index.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { endAppProcesses, startAppProcess, type AppProcess } from './app-process.js';
import { count, NONE } from './instances.js';
import { ReturningClient } from './returning-client.js';

const KEYS = Array.from({ length: sized({ quick: 4, soak: 10 }) }, (_, n) => `job-${n}`);

let server: RedisServer;
let redis: Redis;
let apps: AppProcess[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

afterEach(async () => {
  await endAppProcesses();
  await redis.flushall();
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

interface About {
  readonly pid: number;
  readonly polledKeys: number;
}

const about = async (app: AppProcess) => (await (await fetch(`${app.url}/about`)).json()) as About;

/** Values that are pushed to every key at a steady pace. */
class Writing {
  readonly values: string[] = [];
  private stopped = false;
  private readonly done = this.run();

  /** Resolves once a value that is written from now on has been taken from every key. */
  async areTaken(): Promise<void> {
    const from = this.values.length;
    await until(() => this.values.length > from);
    await until(async () => {
      const held = await Promise.all(KEYS.map((key) => redis.lrange(key, 0, 0)));
      return held.flat().every((value) => Number(value) > from);
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const value = String(this.values.push(`${this.values.length}`) - 1);
      const pipeline = redis.pipeline();
      KEYS.forEach((key) => pipeline.rpush(key, value));
      await pipeline.exec();
      await sleep(sized({ quick: 50, soak: 20 }));
    }
  }
}

/** Starts three instances; the first one polls all keys, which are read on each of them. */
async function startThree(): Promise<readonly SseTestClient[]> {
  apps = await Promise.all([0, 1, 2].map(() => startAppProcess(server.url)));
  const clients: SseTestClient[] = [];
  for (const app of apps) {
    const opening = KEYS.map((key) => SseTestClient.connect(`${app.url}/keys/${key}`));
    clients.push(...(await Promise.all(opening)));
    await until(async () => (await about(apps[0]!)).polledKeys === KEYS.length);
  }
  // On a busy machine the lease may have gone to another instance, and back, meanwhile.
  await until(async () => {
    const others = await Promise.all(apps.slice(1).map(about));
    return others.every(({ polledKeys }) => polledKeys === 0);
  });
  return clients;
}

/** How often each connection asks Redis about keys, from the last `forget` on. */
class Pollers {
  readonly questions = new Map<string, number>();
  private readonly socket = connect(server.port, server.host);

  constructor() {
    let rest = '';
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const [, address] = /\[\d+ (\S+:\d+)\] "exists"/i.exec(line) ?? [];
        if (address) {
          this.questions.set(address, (this.questions.get(address) ?? 0) + 1);
        }
      }
    });
    this.socket.write('MONITOR\r\n');
  }

  forget(): void {
    this.questions.clear();
  }

  stop(): void {
    this.socket.destroy();
  }
}

const dataOf = (client: SseTestClient) => client.events.map(({ data }) => data);

async function expectAll(clients: readonly SseTestClient[], values: readonly string[]) {
  await until(() => clients.every((client) => client.events.at(-1)?.data === values.at(-1)));
  clients.forEach((client) => expect(count(values, dataOf(client))).toEqual(NONE));
}

async function untilOnePolls(running: readonly AppProcess[]): Promise<AppProcess> {
  return until(async () => {
    const counts = (await Promise.all(running.map(about))).map(({ polledKeys }) => polledKeys);
    const isOne = counts.filter((keys) => keys > 0).length === 1;
    return isOne && running[counts.indexOf(KEYS.length)];
  });
}

it('Another instance becomes the poller when the poller freezes, and when it is killed', async () => {
  const clients = [...(await startThree())];
  const pollers = new Pollers();
  const writing = new Writing();
  try {
    await until(() => writing.values.length > 20);
    for (let round = 0; round < sized({ quick: 1, soak: 5 }); round++) {
      const { pid } = await about(await untilOnePolls(apps));
      pollers.forget();
      await until(() => pollers.questions.size > 0);
      const [before] = pollers.questions.keys();
      process.kill(pid, 'SIGSTOP');
      try {
        await writing.areTaken();
        pollers.forget();
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      const { length } = writing.values;
      await until(() => writing.values.length > length + 20);
      const { [before!]: late = 0, ...others } = Object.fromEntries(pollers.questions);
      // The poll that was under way when it froze goes on, and is the last one.
      expect(late).toBeLessThanOrEqual(1 + KEYS.length);
      expect(Object.values(others)).toEqual([expect.any(Number)]);
      expect(Object.values(others)[0]).toBeGreaterThan(1 + KEYS.length);
    }
    const killed = await untilOnePolls(apps);
    const left = apps.filter((app) => app !== killed);
    const gone = apps.indexOf(killed);
    await killed.end('SIGKILL');
    await writing.areTaken();
    await untilOnePolls(left);
    clients.splice(gone * KEYS.length, KEYS.length);
  } finally {
    pollers.stop();
    await writing.stop();
  }
  await expectAll(clients, writing.values);
});

it('Clients that resume on other instances miss nothing during a rolling restart', async () => {
  apps = await Promise.all([0, 1, 2].map(() => startAppProcess(server.url)));
  let turn = 0;
  const clients = KEYS.flatMap((key) =>
    [0, 1].map(() => new ReturningClient(() => `${apps[turn++ % 3]!.url}/keys/${key}`)),
  );
  await until(() => clients.every(({ isOpen }) => isOpen));
  const writing = new Writing();
  for (let n = 0; n < sized({ quick: 3, soak: 30 }); n++) {
    const { length } = writing.values;
    await until(() => writing.values.length > length + 10);
    const before = apps[n % 3]!;
    apps[n % 3] = await startAppProcess(server.url);
    // Each third one is killed, the others are stopped in order.
    await before.end(n % 3 === 2 ? 'SIGKILL' : 'SIGTERM');
  }
  await writing.stop();
  await until(() => clients.every((client) => client.received.at(-1) === writing.values.at(-1)));
  clients.forEach((client) => {
    expect(count(writing.values, client.received)).toEqual(NONE);
    expect(client.resets).toEqual([]);
  });
  await Promise.all(clients.map((client) => client.close()));
});
