import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { compiled } from '../support/compiled.js';
import { createDatabase, createRedis, type TestDatabase } from '../support/databases.js';
import { startPostgres } from '../support/postgres.js';
import { startProxy } from '../support/proxy.js';
import { startRedis } from '../support/redis.js';
import { until } from '../support/until.js';

async function query<T>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

describe('The shared Postgres', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('gives each test file an empty database of its own', async () => {
    const tables = await query(database.url, `select 1 from pg_tables where schemaname = 'public'`);
    expect(tables).toHaveLength(0);
    const [row] = await query<{ name: string }>(database.url, 'select current_database() as name');
    expect(database.url).toContain(row?.name);
  });
});

describe('startPostgres', () => {
  it('keeps data and port over a stop, a crash and a start, and leaves nothing behind', async () => {
    const server = await startPostgres({ settings: { max_connections: '17' } });
    try {
      await query(server.url, 'create table kept (n int)');
      await server.stopServer();
      await expect(query(server.url, 'select 1')).rejects.toThrow('ECONNREFUSED');
      await server.startServer();
      await query(server.url, 'insert into kept values (1)');
      await query(server.url, 'checkpoint');
      await server.killServer();
      await server.startServer();
      expect(await query(server.url, 'select n from kept')).toEqual([{ n: 1 }]);
      expect(await query(server.url, 'show max_connections')).toEqual([{ max_connections: '17' }]);
    } finally {
      await server.stop();
    }
    expect(existsSync(server.dataDir)).toBe(false);
  });
});

describe('startRedis', () => {
  it('keeps port and, with an append-only file, data over SIGKILL', async () => {
    const server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const redis = new Redis(server.url, { retryStrategy: () => 20 });
    redis.on('error', () => undefined);
    try {
      await redis.set('kept', '1');
      await server.kill();
      await until(() => redis.status !== 'ready', { what: 'the client to notice' });
      await server.start();
      expect(await redis.get('kept')).toBe('1');
    } finally {
      redis.disconnect();
      await server.stop();
    }
    expect(existsSync(server.dir)).toBe(false);
  });

  it('starts Sentinels and Cluster nodes with the same program', async () => {
    const main = await startRedis();
    const sentinel = await startRedis({
      args: ['--sentinel'],
      config: [`sentinel monitor main 127.0.0.1 ${main.port} 1`],
    });
    const node = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    const clients = [new Redis(sentinel.url), new Redis(node.url)] as const;
    try {
      const address = await clients[0].call('sentinel', 'get-master-addr-by-name', 'main');
      expect(address).toEqual(['127.0.0.1', String(main.port)]);
      expect(await clients[1].cluster('INFO')).toContain('cluster_state:');
    } finally {
      for (const client of clients) client.disconnect();
      await Promise.all([main.stop(), sentinel.stop(), node.stop()]);
    }
  });

  it('gives each test file a Redis or a key prefix of its own', async () => {
    const own = await createRedis();
    const redis = new Redis(own.url);
    try {
      await redis.set(`${own.keyPrefix}key`, 'value');
      expect(await redis.get(`${own.keyPrefix}key`)).toBe('value');
    } finally {
      redis.disconnect();
      await own.drop();
    }
  });
});

describe('startProxy', () => {
  it('freezes, thaws, cuts and refuses connections', async () => {
    const own = await createRedis();
    const proxy = await startProxy(own.url);
    const redis = new Redis(proxy.url(own.url), { retryStrategy: () => 20 });
    redis.on('error', () => undefined);
    try {
      await redis.ping();
      expect(proxy.connections).toBe(1);

      proxy.freeze();
      let answered = false;
      const answer = redis.ping().finally(() => (answered = true));
      const direct = new Redis(own.url);
      for (let i = 0; i < 50; i++) await direct.ping();
      direct.disconnect();
      expect(answered).toBe(false);
      proxy.thaw();
      expect(await answer).toBe('PONG');

      proxy.refuse();
      proxy.cut();
      await until(() => redis.status === 'reconnecting', { what: 'the client to be cut off' });
      expect(proxy.connections).toBe(0);
      proxy.accept();
      expect(await redis.ping()).toBe('PONG');
      expect(proxy.accepted).toBe(2);
    } finally {
      redis.disconnect();
      await proxy.close();
      await own.drop();
    }
  });
});

describe('A killed test run', () => {
  it.each(['SIGINT', 'SIGKILL'] as const)('leaves no server behind after %s', async (signal) => {
    const child = fork(compiled('test/harness/left-behind.ts'), { execArgv: [] });
    const exited = once(child, 'exit');
    const [{ dirs, ports }] = (await once(child, 'message')) as [
      { dirs: string[]; ports: number[] },
    ];
    expect(await Promise.all(ports.map(listens))).toEqual([true, true]);
    child.kill(signal);
    await exited;
    await until(async () => !(await Promise.all(ports.map(listens))).includes(true), {
      what: 'both servers to end',
    });
    await until(() => !dirs.some((dir) => existsSync(dir)), { what: 'their files to be removed' });
  });
});

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
