import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { NewRun } from '../../lib/channel/runs.js';
import { databaseForEach } from '../event-table/each-database.js';
import { startInstance } from '../event-table/event-table-rig.js';
import { createDatabase } from '../support/databases.js';
import { until } from '../support/until.js';

const database = databaseForEach();

const run = (id: string, more: Partial<NewRun> = {}): NewRun => ({
  channel: 'chat',
  id,
  format: 'default',
  lease: 60_000,
  keep: 60_000,
  ...more,
});

const CHUNKS = [{ data: 'ä 📦' }, { data: '[DONE]', end: true }];

describe('Runs beside the event table', () => {
  it('are removed by the elected instance, and those of emptied tables as well', async () => {
    const { table } = await startInstance(database.url, { retainInterval: 100 });
    const store = table.openRuns();
    const rows = async () => {
      const { rows: found } = await database.client.query<{ count: string }>(
        'select (select count(*) from sse.run) + (select count(*) from sse.run_chunk) as count',
      );
      return Number(found[0]!.count);
    };
    await store.begin(run('a', { keep: 100 }));
    await store.append({ ...run('a'), after: 0, chunks: CHUNKS });
    expect(await rows()).toBe(3);
    await until(async () => (await rows()) === 0);
    await store.begin(run('b'));
    await store.append({ ...run('b'), after: 0, chunks: CHUNKS.slice(0, 1) });
    await database.client.query('truncate sse.run restart identity');
    expect(await store.append({ ...run('b'), after: 1, chunks: CHUNKS })).toBe('gone');
    expect(await store.read(run('b'), 1, 10)).toBeUndefined();
    // It gets the number that the other had.
    expect(await store.begin(run('c'))).toMatchObject({ id: 'c', head: 0 });
    expect(await store.append({ ...run('c'), after: 0, chunks: CHUNKS })).toBe('appended');
    await store.begin(run('d'));
    await store.append({ ...run('d'), after: 0, chunks: CHUNKS.slice(0, 1) });
    await database.client.query('truncate sse.run');
    await until(async () => (await rows()) === 0);
  });

  it('are gone for those who follow when somebody empties the table of chunks', async () => {
    const { table } = await startInstance(database.url);
    const store = table.openRuns();
    const [one, two] = CHUNKS;
    await store.begin(run('a'));
    await store.append({ ...run('a'), after: 0, chunks: [one!, one!] });
    const reads: Promise<unknown>[] = [];
    store.follow(run('a'), (after) => {
      if (after === undefined) {
        reads.push(store.read(run('a'), 2, 10));
      }
    });
    await until(() => reads.length > 0);
    expect(await reads[0]).toEqual([]);
    const other = (await startInstance(database.url)).table.openRuns();
    // What its instance appended meanwhile is lost.
    await database.client.query('truncate sse.run_chunk; update sse.run set head = 4');
    await until(() => reads.length > 1);
    expect(await reads[1]).toBeUndefined();
    // The numbers of chunks that come later must not move.
    expect(await other.append({ ...run('a'), after: 4, chunks: [two!] })).toBe('appended');
    expect(await store.read(run('a'), 2, 10)).toBeUndefined();
    expect(await store.read(run('a'), 4, 10)).toMatchObject([two!]);
  });

  it('take any text in a database of any encoding', async () => {
    const latin = await createDatabase('LATIN1');
    try {
      const instance = await startInstance(latin.url);
      const store = instance.table.openRuns();
      await store.begin(run('a', { format: '📦' }));
      expect(await store.append({ ...run('a'), after: 0, chunks: CHUNKS })).toBe('appended');
      expect(await store.find('chat')).toMatchObject({ format: '📦', head: 2, hasEnded: true });
      expect(await store.read(run('a'), 0, 10)).toMatchObject(CHUNKS);
      await expect(store.begin(run('b', { channel: '📦' }))).rejects.toMatchObject({
        code: 'INVALID_CHANNEL',
      });
      expect(await store.find('📦')).toBeUndefined();
      await instance.stop();
    } finally {
      await latin.drop();
    }
  });

  it('need no more than the privileges that the documentation lists', async () => {
    await startInstance(database.url);
    const name = `runner_${randomBytes(4).toString('hex')}`;
    await database.client.query(`create role ${name} login password 'secret';
      grant usage on schema sse to ${name}; grant select on sse.event, sse.meta to ${name}`);
    try {
      const url = new URL(database.url);
      url.username = name;
      url.password = 'secret';
      const instance = await startInstance(url.href, { install: false });
      const store = instance.table.openRuns();
      await expect(store.begin(run('a'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('Grant it what docs/postgres.md lists'),
      });
      await database.client.query(
        `grant execute on function sse.begin_run, sse.find_run, sse.append_runs, sse.end_run, sse.read_runs to ${name}`,
      );
      await store.begin(run('a'));
      expect(await store.append({ ...run('a'), after: 0, chunks: CHUNKS.slice(0, 1) })).toBe(
        'appended',
      );
      expect(await store.end(run('a'), CHUNKS.slice(1), false)).toBe(true);
      expect(await store.read(run('a'), 0, 10)).toHaveLength(2);
      await instance.stop();
    } finally {
      await database.client.query(`drop owned by ${name}; drop role ${name}`);
    }
  });
});
