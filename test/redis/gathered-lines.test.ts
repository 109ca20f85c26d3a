import { afterEach, describe, expect, it } from '@jest/globals';
import { Recorder } from '../cache/recorder.js';
import { instance as keysInstance } from '../cache/redis-rig.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { clusterRig } from './cluster-rig.js';
import { instance, stopInstances, withRedis, type Instance } from './instances.js';

const NAMES = Array.from({ length: 200 }, (_, n) => `name ${n}`);

const ends: (() => unknown)[] = [];

afterEach(async () => {
  await stopInstances();
  for (const end of ends.splice(0).toReversed()) {
    await end();
  }
});

async function redis(): Promise<RedisServer> {
  const server = await startRedis();
  ends.push(() => server.stop());
  return server;
}

/** Opens all channels, each with an event. */
async function filled(one: Instance) {
  const channels = NAMES.map((name) => one.open(name));
  await until(() => channels.every(({ isLive }) => isLive));
  await Promise.all(NAMES.map((name) => one.broker.publish(name, { data: 'before' })));
  await until(() => channels.every(({ events }) => events.length === 1));
  return channels;
}

/** How many names the lines with a text tell of. */
function told(lines: readonly string[], text: RegExp): number {
  return lines.reduce((sum, line) => {
    const found = text.exec(line);
    return sum + (found ? Number(found[1] ?? 1) : 0);
  }, 0);
}

const LOST_ENTRIES = /^(?:(\d+) streams have|The stream \S.* has) lost entries/;
/** Three names and the number of the others. */
const LIST = (name: string) => `${name}, ${name}, ${name} and \\d+ more`;

/** A line a second: a busy machine may take some for all 200. */
function expectFew(lines: readonly string[], gathered: string): void {
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines).toContainEqual(expect.stringMatching(gathered));
}

describe('A log line counts what a Redis without its data means for 200', () => {
  it('channels', async () => {
    const server = await redis();
    const one = await instance(server.url, { auditInterval: 60_000 });
    const channels = await filled(one);
    await server.kill();
    await server.start();
    await until(() => channels.every(({ resets }) => resets.length > 0));
    await until(() => told(one.log.lines, LOST_ENTRIES) >= 200);
    expectFew(
      one.log.lines.filter((line) => LOST_ENTRIES.test(line)),
      `^\\d+ streams have lost entries: ${LIST('sse:{name \\d+}')}\\. Their clients receive sse:reset\\.$`,
    );
  });

  it('keys', async () => {
    const server = await redis();
    const one = await keysInstance(server.url, { auditInterval: 60_000 });
    ends.push(() => one.stop());
    await Promise.all(NAMES.map((name) => one.source.sendKey(name, 'before')));
    await server.kill();
    await server.start();
    const lines = /^Redis has lost values of (?:(\d+) keys|the key)/;
    await until(() => told(one.log.lines, lines) >= 200);
    expectFew(
      one.log.lines.filter((line) => lines.test(line)),
      `^Redis has lost values of \\d+ keys that had not reached every reader: ${LIST('"name \\d+"')}\\. ` +
        'Their clients receive sse:reset\\.$',
    );
  });

  it('channels, when the application stops before the line is due', async () => {
    const server = await redis();
    const one = await instance(server.url, { auditInterval: 60_000 });
    const channels = await filled(one);
    await server.kill();
    await server.start();
    await until(() => channels.every(({ resets }) => resets.length > 0));
    await one.stop();
    expect(told(one.log.lines, LOST_ENTRIES)).toBe(200);
  });
});

it('A log line tells that 200 channels may no longer be read', async () => {
  const server = await redis();
  const one = await instance(server.url, { auditInterval: 100 });
  await filled(one);
  await withRedis(server.url, (admin) => admin.acl('SETUSER', 'default', '-evalsha', '-eval'));
  const lines = /^(?:(\d+) channels|The channel of \S.*) cannot be read/;
  await until(() => told(one.log.errors, lines) >= 200);
  expectFew(
    one.log.errors.filter((line) => lines.test(line)),
    `^\\d+ channels cannot be read, those of ${LIST('sse:{name \\d+}')}: Redis at .*evalsha.*docs/redis\\.md\\.$`,
  );
});

it('A log line tells that the keys of 200 channels have another type', async () => {
  const server = await redis();
  const one = await instance(server.url, { auditInterval: 100 });
  await filled(one);
  const script = `for n = 0, 199 do redis.call('SET', 'sse:{name ' .. n .. '}', 'foreign') end`;
  await withRedis(server.url, (admin) => admin.eval(script, 0));
  const lines = /^(?:(\d+) channels|The channel of \S.*) cannot be read/;
  await until(() => told(one.log.errors, lines) >= 200);
  expectFew(
    one.log.errors,
    `^\\d+ channels cannot be read, those of ${LIST('sse:{name \\d+}')}: Redis at \\S+ holds another type under ` +
      'these keys, which this package uses. Remove them, or set another `redisStreams.prefix`\\.$',
  );
});

it('A log line tells that 200 keys have another type, and one that they can be read again', async () => {
  const server = await redis();
  const one = await keysInstance(server.url);
  ends.push(() => one.stop());
  const channels = NAMES.map((name) =>
    Recorder.open(one.source.with({ interval: 20, maxInterval: 20 }), name),
  );
  const of = (lines: readonly string[]) => lines.filter((line) => /^(?:\d+|The) keys? /.test(line));
  await withRedis(server.url, async (admin) => {
    await until(() => channels.every(({ isLive }) => isLive));
    await admin.eval("for n = 0, 199 do redis.call('HSET', 'name ' .. n, 'field', 'value') end", 0);
    const refused = /^(?:(\d+) keys|The key .*) cannot be read/;
    await until(() => told(one.log.errors, refused) >= 200);
    expectFew(
      of(one.log.errors),
      `^\\d+ keys cannot be read, ${LIST('"name \\d+"')}: .*is a hash.*\\. Their streams stay open; `,
    );
    expect(of(one.log.lines)).toEqual([]);
    await admin.flushall();
    const readable = /^(?:(\d+) keys|The key .*) can be read again/;
    await until(() => told(one.log.lines, readable) >= 200);
    expectFew(of(one.log.lines), `^\\d+ keys can be read again: ${LIST('"name \\d+"')}\\.$`);
  });
});

describe('In a Cluster', () => {
  const cluster = clusterRig(stopInstances);

  it('a few log lines count 200 channels on all masters that were emptied', async () => {
    const one = await instance(cluster.client(), { auditInterval: 500 });
    const channels = await filled(one);
    await Promise.all(
      cluster.servers.masters.map(({ url }) => withRedis(url, (node) => node.flushall())),
    );
    await until(() => channels.every(({ resets }) => resets.length > 0));
    await until(() => told(one.log.lines, LOST_ENTRIES) >= 200);
    // An audit may come between the first and the last of them.
    const lines = one.log.lines.filter((line) => LOST_ENTRIES.test(line));
    expect(lines.length).toBeLessThanOrEqual(20);
    expect(told(lines, LOST_ENTRIES)).toBe(200);
  });
});
