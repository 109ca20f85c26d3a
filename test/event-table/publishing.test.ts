import { afterEach, describe, expect, it } from '@jest/globals';
import { createDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, record, startInstance, stopAll } from './event-table-rig.js';

const database = databaseForEach();

describe('When one turn sends several events, send()', () => {
  const cleanUps: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await stopAll();
    for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  });

  it('rejects only the events that a LATIN1 database cannot hold, and keeps the order of the others', async () => {
    const latin = await createDatabase('LATIN1');
    cleanUps.push(() => latin.drop());
    const instance = await startInstance(latin.url);
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

  it('rejects with the reason when a lock on the table outlasts the shutdown', async () => {
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
