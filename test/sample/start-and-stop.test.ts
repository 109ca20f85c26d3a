import { execFileSync } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { readdir } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createDatabase, createRedis } from '../support/databases.js';
import { until } from '../support/until.js';
import { openEvents } from './open-events.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { startSample, type SampleProcess } from './sample-process.js';

const started: SampleProcess[] = [];
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const sample of started.splice(0)) await sample.dispose();
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function start(...options: Parameters<typeof startSample>): Promise<SampleProcess> {
  const sample = await startSample(...options);
  started.push(sample);
  return sample;
}

/** The process ids of the servers below the given folder. */
function serversIn(folder: string): string[] {
  return execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`-D ${folder}`));
}

describe('Stopping the sample', () => {
  // SIGINT: below, and from `npm start`.
  it.each(['SIGTERM', 'SIGHUP'] as const)(
    'leaves nothing behind after %s, with streams open',
    async (signal) => {
      const sample = await start();
      const address = await sample.address();
      const streams = await openStreams(address);
      const [folder] = await sample.leftFiles();
      expect(folder).toMatch(/postgres/);

      sample.signal(signal);
      expect(await sample.exited).toBe(0);
      for (const stream of streams) await stream.closed;
      expect(await sample.leftFiles()).toEqual([]);
      expect(serversIn(sample.path(folder!))).toEqual([]);
    },
    60_000,
  );

  it('works when somebody presses Ctrl-C again and again', async () => {
    const sample = await start();
    await sample.address();
    for (let presses = 0; presses < 5; presses++) {
      sample.signal('SIGINT');
      await new Promise(setImmediate);
    }
    expect(await sample.exited).toBe(0);
    expect(await sample.leftFiles()).toEqual([]);
  });

  it.each([
    ['the folder is there', async (sample: SampleProcess) => (await sample.leftFiles()).length > 0],
    ['the data is set up', async (sample: SampleProcess) => (await files(sample)).includes('base')],
    [
      'Postgres starts',
      async (sample: SampleProcess) => (await files(sample)).includes('postmaster.pid'),
    ],
  ])(
    'leaves nothing behind after Ctrl-C during the start, as soon as %s',
    async (_, reached) => {
      const sample = await start();
      await until(() => reached(sample));
      sample.signal('SIGINT');
      expect(await sample.exited).toBe(0);
      expect(sample.output).not.toMatch(/error/i);
      expect(await sample.leftFiles()).toEqual([]);
    },
    60_000,
  );
});

describe('npm start', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'works, and %s ends it',
    async (signal) => {
      const sample = await start({}, ['npm', 'start']);
      const address = await sample.address();
      const page = await fetch(address);
      expect(page.headers.get('content-type')).toMatch(/^text\/html/);
      const streams = await openStreams(address);
      if (signal === 'SIGTERM') sample.signalOnly(signal);
      else sample.signal(signal);
      // npm ends itself by the signal that it was sent.
      expect([0, signal]).toContain(await sample.exited);
      for (const stream of streams) await stream.closed;
      expect(await leftServers(sample)).toEqual([]);
    },
    90_000,
  );
});

describe('Starting the sample', () => {
  it('names the port in use, and how to choose another', async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, resolve));
    cleanups.push(() => new Promise((resolve) => other.close(resolve)));
    const { port } = other.address() as AddressInfo;

    const sample = await start({ PORT: String(port), DATABASE_URL: database.url });
    expect(await sample.exited).toBe(1);
    expect(sample.output).toContain(`Port ${port} is in use.`);
    expect(sample.output).not.toContain(' at ');
  });

  it.each([
    // Other mistakes in variables are those of settings.test.ts.
    [{ DATABASE_URL: 'mysql://a:secret@localhost/b' }, /DATABASE_URL is not a URL/],
    [
      { DATABASE_URL: 'postgres://a:secret@127.0.0.1:1/b' },
      /a:\*\*\*\*@127.0.0.1:1\/b cannot be used/,
    ],
  ])(
    'fails with %j',
    async (variables, message) => {
      const sample = await start(variables);
      expect(await sample.exited).toBe(1);
      expect(sample.output).toMatch(message);
      expect(sample.output).not.toContain('secret');
      expect(await sample.leftFiles()).toEqual([]);
    },
    60_000,
  );

  it('uses the given Redis and Postgres, and finds its table there again', async () => {
    const database = await createDatabase();
    cleanups.push(() => database.drop());
    const redis = await createRedis();
    cleanups.push(() => redis.drop());
    const variables = { DATABASE_URL: database.url, REDIS_URL: redis.url };
    const { password } = new URL(database.url);

    for (const name of ['first', 'second']) {
      const sample = await start(variables);
      const address = await sample.address();
      expect(sample.output).toMatch(/cache +Redis at redis:/);
      expect(sample.output).toMatch(/postgres +postgres.*\*\*\*\*/);
      expect(sample.output).not.toContain(password);

      const key = `${redis.keyPrefix}${name}`.replaceAll(':', '-');
      const users = await openEvents(`${address}/events/users`);
      const values = await openEvents(`${address}/events/keys/${key}`);
      await fetch(`${address}/users`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name, status: 'online' }),
      });
      await fetch(`${address}/cache/${key}`, {
        method: 'PUT',
        headers: { 'content-type': 'text/plain' },
        body: name,
      });
      expect(JSON.parse((await users.take(1))[0]!.data)).toMatchObject({ name });
      expect((await values.take(1))[0]!.data).toBe(name);
      sample.signal('SIGINT');
      expect(await sample.exited).toBe(0);
    }
  });
});

function openStreams(address: string): Promise<SseTestClient[]> {
  return Promise.all(
    ['users', 'keys/a', 'rooms/a', 'clock'].map((path) =>
      SseTestClient.connect(`${address}/events/${path}`),
    ),
  );
}

/** Folders of servers: `npm` leaves files of its own behind. */
async function leftServers(sample: SampleProcess): Promise<string[]> {
  return (await sample.leftFiles()).filter((name) => name.startsWith('nestjs-sse'));
}

async function files(sample: SampleProcess): Promise<string[]> {
  const [folder] = await sample.leftFiles();
  if (folder === undefined) return [];
  return readdir(sample.path(`${folder}/data`)).catch(() => []);
}
