import pg from 'pg';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { postgresUrl } from '../support/databases.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, record, startInstance, stopAll } from './event-table-rig.js';

const database = databaseForEach();

describe('sends of one turn', () => {
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await stopAll();
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  });

  it('reject only those that a LATIN1 database cannot hold, and keep their order', async () => {
    const admin = new pg.Client({ connectionString: postgresUrl() });
    await admin.connect();
    cleanUps.push(() => admin.end());
    const name = `sse_test_${randomBytes(6).toString('hex')}`;
    await admin.query(`create database ${name} template template0 encoding 'LATIN1' locale 'C'`);
    cleanUps.push(() => admin.query(`drop database ${name} with (force)`));
    const url = new URL(postgresUrl());
    url.pathname = `/${name}`;
    const instance = await startInstance(url.href);
    const sink = record(instance, 'a');
    const texts = Array.from({ length: 100 }, (_, n) => (n % 40 === 7 ? `📦 ${n}` : `ü ${n}`));
    const sent = texts.map((data) => instance.table.publish('a', { data }));
    const results = await Promise.allSettled(sent);
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as { code: string }).code] : [],
    );
    expect(refused).toEqual(['INVALID_EVENT', 'INVALID_EVENT', 'INVALID_EVENT']);
    const held = texts.filter((text) => text.startsWith('ü'));
    await until(() => sink.events.length === held.length);
    expect(sink.data).toEqual(held);
  });

  it('are given up with their reason when the table is locked at the shutdown', async () => {
    const instance = await startInstance(database.url, { waker: false });
    const locker = await connect(database.url);
    await locker.query('begin; lock table sse.event in access exclusive mode');
    const sent = Array.from({ length: 1_200 }, () => instance.table.publish('a', { data: 'x' }));
    const results = Promise.allSettled(sent);
    await until(async () => {
      const { rowCount } = await database.client.query(
        `select from pg_locks where not granted and relation = 'sse.event'::regclass`,
      );
      return rowCount! > 0;
    });
    await instance.stop();
    const codes = (await results).map(
      (result) => result.status === 'rejected' && (result.reason as { code: string }).code,
    );
    expect(new Set(codes)).toEqual(new Set(['CLOSED']));
    await locker.query('rollback');
  });
});
