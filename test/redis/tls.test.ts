import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, Redis } from 'ioredis';
import type { RedisOption } from '../../lib/sources/redis/redis-option.js';
import { RedisConnection } from '../../lib/sources/redis/redis-connection.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { LogRecorder } from '../cache/recorder.js';
import { freePort } from '../support/free-port.js';
import { projectRoot } from '../support/project-root.js';
import { startRedis, type RedisServer } from '../support/redis.js';
import { until } from '../support/until.js';
import { endAppProcesses, startAppProcess } from './app-process.js';
import { count, instance, NONE, stopInstances } from './instances.js';
import { addSlots } from './topologies.js';

const certFile = join(projectRoot, 'test/support/tls/cert.pem');
const keyFile = join(projectRoot, 'test/support/tls/key.pem');
/** The certificate is of `localhost`, and signed by itself. */
const ca = readFileSync(certFile);

/** A server that takes nothing but TLS. */
async function startTlsRedis(args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort();
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file'];
  const only = ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'];
  return startRedis({ port, args: [...only, ...files, certFile, ...args] });
}

/** Sends from one instance to another, in both directions, and over a lost connection. */
async function expectEventsAcross(redis: () => RedisOption, admin: Redis): Promise<void> {
  const [one, two] = [await instance(redis()), await instance(redis())];
  const recorded = [one.open('secret'), two.open('secret')];
  await until(() => recorded.every((each) => each.isLive));
  const sent = Array.from({ length: 100 }, (_, n) => `event ${n}`);
  await Promise.all(sent.slice(0, 50).map((data) => one.broker.publish('secret', { data })));
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await Promise.all(sent.slice(50).map((data) => two.broker.publish('secret', { data })));
  await until(() => recorded.every((each) => each.events.length >= 100));
  for (const each of recorded) {
    expect(count(sent, each.data)).toEqual(NONE);
    expect(each.resets).toEqual([]);
  }
  // On a busy machine the way back from the kill may take long enough for a line.
  const lines = [...one.log.errors, ...two.log.errors];
  expect(lines.filter((line) => !line.includes('interrupted: the connection was closed'))).toEqual(
    [],
  );
}

describe('Over TLS', () => {
  let server: RedisServer;
  let admin: Redis;
  const clients: (Redis | Cluster)[] = [];
  const own = <T extends Redis | Cluster>(client: T): T => {
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    server = await startTlsRedis();
    admin = new Redis({ host: 'localhost', port: server.port, tls: { ca } });
  });

  afterEach(async () => {
    await endAppProcesses();
    await stopInstances();
    clients.splice(0).forEach((client) => client.disconnect());
  });

  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });

  it('events reach every instance with options for ioredis', async () => {
    await expectEventsAcross(() => ({ host: 'localhost', port: server.port, tls: { ca } }), admin);
  });

  it('events reach every instance with a client of the application', async () => {
    const options = { host: 'localhost', port: server.port, tls: { ca } };
    await expectEventsAcross(() => own(new Redis(options)), admin);
  });

  it('events reach every instance with a URL and an authority that Node was given', async () => {
    const url = `rediss://localhost:${server.port}`;
    const env = { NODE_EXTRA_CA_CERTS: certFile };
    const [one, two] = await Promise.all([startAppProcess(url, env), startAppProcess(url, env)]);
    const client = await SseTestClient.connect(`${two.url}/events/news`);
    const publisher = await instance({ host: 'localhost', port: server.port, tls: { ca } });
    const other = await SseTestClient.connect(`${one.url}/events/news`);
    const sent = Array.from({ length: 50 }, (_, n) => `event ${n}`);
    await Promise.all(sent.map((data) => publisher.broker.publish('news', { data })));
    for (const each of [client, other]) {
      await until(() => each.events.length >= 50);
      expect(
        count(
          sent,
          each.events.map(({ data }) => data),
        ),
      ).toEqual(NONE);
      await each.close();
    }
  });

  it('events reach every instance in a Cluster', async () => {
    const node = await startTlsRedis(['--cluster-enabled', 'yes', '--tls-cluster', 'yes']);
    // The nodes of a Cluster name themselves by their addresses.
    const tls = { ca, checkServerIdentity: () => undefined };
    const direct = new Redis({ host: '127.0.0.1', port: node.port, tls });
    try {
      await addSlots(direct, 0, 16_384);
      await direct.config('SET', 'cluster-announce-ip', '127.0.0.1');
      await until(async () => String(await direct.cluster('INFO')).includes('cluster_state:ok'));
      const start = [{ host: '127.0.0.1', port: node.port }];
      const redisOptions = { tls, disconnectTimeout: 100 };
      await expectEventsAcross(() => own(new Cluster(start, { redisOptions })), direct);
    } finally {
      await stopInstances();
      direct.disconnect();
      await node.stop();
    }
  });

  it.each([
    ['comes from an unknown authority', 'localhost', {}],
    ['has another name', '127.0.0.1', { ca }],
  ])('a start rejects with the reason when the certificate %s', async (_, host, tls) => {
    const option = { host, port: server.port, tls };
    const strict = new RedisConnection(option, new LogRecorder());
    await expect(strict.start(true)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/certificate was refused .*`tls: { ca }`/),
    });
    const log = new LogRecorder();
    const patient = new RedisConnection(option, log);
    await patient.start(false);
    await until(() => log.errors.length > 0);
    expect(log.errors[0]).toMatch(/certificate was refused .*`tls: { ca }`/);
    await expect(patient.client()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await patient.stop();
    expect(log.errors).toHaveLength(1);
  });
});
