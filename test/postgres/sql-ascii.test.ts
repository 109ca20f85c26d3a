import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { connect, record, startInstance, stopAll } from '../event-table/event-table-rig.js';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** A database whose texts may be any bytes. */
let database: TestDatabase;
beforeAll(async () => void (database = await createDatabase('SQL_ASCII')));
afterEach(async () => {
  await closeApps();
  await stopAll();
});
afterAll(() => database.drop());

const NOT_UTF8 = String.raw`E'a\xfcb'`;

it('A session survives a payload that is not UTF-8, and delivers its bytes as U+FFFD', async () => {
  const { sse } = await startApp({ options: { postgres: database.url } });
  const data: unknown[] = [];
  sse.streamPostgres('ü').subscribe((event) => data.push(event.data));
  const client = await connect(database.url);
  await client.query(`set client_encoding to 'SQL_ASCII'`);
  await until(async () => {
    await client.query(`select pg_notify('ü', 'ready')`);
    return data.includes('ready');
  });
  await client.query(`select pg_notify('ü', ${NOT_UTF8}), pg_notify('ü', 'ü')`);
  await sse.notify('ü', 'last');
  await until(() => data.includes('last'));
  // On a busy machine a reset comes first, as LISTEN takes longer than `readyTimeout`.
  expect(data.slice(data.lastIndexOf('ready') + 1)).toEqual(['a\ufffdb', 'ü', 'last']);
});

it('A row of the event table that is not UTF-8 becomes a reset, and every other row arrives', async () => {
  const instance = await startInstance(database.url);
  const sink = record(instance, 'a');
  const client = await connect(database.url);
  await client.query(`select sse.publish('a', ${NOT_UTF8})`);
  await instance.table.publish('a', { data: 'ü' });
  await until(() => sink.calls.length === 2);
  expect(sink.calls).toEqual(['reset:skipped-event', 'ü']);
});
