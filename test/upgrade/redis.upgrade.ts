import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { endAppProcesses, startAppProcess, type AppProcess } from '../redis/app-process.js';
import { count, NONE } from '../redis/instances.js';
import { ReturningClient } from '../redis/returning-client.js';
import { projectRoot } from '../support/project-root.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { olderVersion } from './older-version.js';

let server: RedisServer;

beforeAll(async () => {
  server = await startRedis();
});

afterEach(endAppProcesses);

afterAll(() => server.stop());

/** What one instance sent, in the order in which it did. */
interface Sent {
  readonly sent: string[];
  readonly rejected: number;
}

const today = join(projectRoot, 'lib/index.ts');

function start(name: string, library: string): Promise<AppProcess> {
  const env = { NAME: name, LIBRARY: pathToFileURL(library).href };
  return startAppProcess(server.url, env, 'test/upgrade/app.ts');
}

async function told<T>(one: AppProcess, path: string): Promise<T> {
  return (await (await fetch(`${one.url}/${path}`)).json()) as T;
}

/** What did not reach a client since its first event of an instance, or came twice or too late. */
function faultsOf({ received }: ReturningClient, { sent }: Sent): ReturnType<typeof count> {
  const name = sent[0]!.slice(0, sent[0]!.indexOf(' ') + 1);
  const seen = received.filter((text) => text.startsWith(name));
  return count(sent.slice(Math.max(sent.indexOf(seen[0]!), 0)), seen);
}

it('instances of the version before and of today replace each other, and nothing is lost', async () => {
  const older = olderVersion();
  const [first, second, ...next] = await Promise.all([
    start('a', older),
    start('b', older),
    start('c', today),
    start('d', today),
    // The way back.
    start('e', older),
  ]);
  const running: AppProcess[] = [first, second];
  await Promise.all(running.map((one) => told(one, 'send')));
  let turn = 0;
  const url = (path: string) => () => `${running[turn++ % running.length]!.url}/${path}`;
  const clients = ['channel', 'channel', 'key'].map((path) => new ReturningClient(url(path)));
  const fed = () => {
    const before = clients.map(({ received }) => received.length);
    return until(() => clients.every(({ received }, i) => received.length > before[i]! + 100));
  };
  await fed();

  const sent: Sent[] = [];
  for (const one of next) {
    running.push(one);
    await told(one, 'send');
    await fed();
    const gone = running.shift()!;
    sent.push(await told<Sent>(gone, 'sent'));
    await gone.end('SIGTERM');
    await fed();
  }
  for (const one of running) {
    sent.push(await told<Sent>(one, 'sent'));
  }
  const lasts = sent.map((each) => each.sent.at(-1)!);
  await until(() =>
    clients.every(({ received }) => lasts.every((text) => received.includes(text))),
  );
  expect(sent.map(({ rejected }) => rejected)).toEqual([0, 0, 0, 0, 0]);
  expect(clients.map(({ resets }) => resets)).toEqual([[], [], []]);
  for (const client of clients) {
    expect(sent.map((each) => faultsOf(client, each))).toEqual(sent.map(() => NONE));
    expect(client.returns).toBeGreaterThan(0);
  }
  await Promise.all(clients.map((client) => client.close()));
}, 60_000);
