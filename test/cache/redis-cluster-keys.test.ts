import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { addSlots } from '../redis/topologies.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { Recorder } from './recorder.js';
import { instance, type Instance } from './redis-rig.js';

let server: RedisServer;
let cluster: Cluster;
let one: Instance;

beforeAll(async () => {
  server = await startRedis({
    args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'],
  });
  const node = new Redis(server.url);
  await addSlots(node, 0, 16_384);
  await until(async () => String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  node.disconnect();
  cluster = new Cluster([{ host: server.host, port: server.port }]);
  await until(() => cluster.status === 'ready');
  one = await instance(cluster);
});

afterAll(async () => {
  await one.stop();
  cluster.disconnect();
  await server.stop();
});

describe('In a Redis Cluster', () => {
  it.each(['empty{}', 'clo}sed'])(
    'a key in another slot than its list causes an error: %j',
    (key) => {
      expect(() => Recorder.open(one.source, key)).toThrow(
        expect.objectContaining({ code: 'INVALID_CHANNEL' }),
      );
    },
  );

  it.each(['plain', 'job:{42}:state', 'open{brace'])('a key gives its values: %j', async (key) => {
    await one.source.sendKey(key, 'waits');
    await cluster.set(key, 'foreign');
    const channel = Recorder.open(one.source.with({ interval: 10 }), key);
    await until(() => channel.events.length === 2);
    expect(channel.data).toEqual(['waits', 'foreign']);
    channel.feed!.close();
    const watching = Recorder.open(one.source.with({ interval: 10, mode: 'watch' }), key);
    await one.source.sendKey(key, 'watched');
    await until(() => watching.events.length === 1);
    expect(await cluster.get(key)).toBe('watched');
    watching.feed!.close();
  });

  it('a key is read in one turn with keys of other slots', async () => {
    const keys = Array.from({ length: 200 }, (_, n) => `key${n}`);
    const channels = keys.map((key) => Recorder.open(one.source.with({ interval: 20 }), key));
    await Promise.all(keys.map((key) => cluster.set(key, key)));
    await until(() => channels.every((channel) => channel.events.length === 1));
    expect(one.log.errors).toEqual([]);
  });
});
