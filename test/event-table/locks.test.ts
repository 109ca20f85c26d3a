import { describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { record, startInstance } from './event-table-rig.js';

const database = databaseForEach();

describe('A transaction that takes locks in another order than we do, as DROP SCHEMA does,', () => {
  it('does not fail, and no event is lost', async () => {
    const instance = await startInstance(database.url, { waker: false, pollInterval: 50 });
    const sink = record(instance, 'a');
    await instance.table.publish('a', { data: '1' });
    await until(() => sink.events.length === 1);
    const { history } = instance.table.open('a', sink);

    await database.client.query('begin; lock table sse.event_1 in access exclusive mode');
    const page = history!.read(undefined, 10);
    const sent = instance.table.publish('a', { data: '2' });
    // The reader, the history and the publisher have a lock on the parent, and wait for the partition:
    // for so long that the server looks for deadlocks in their place no more, but in that of others.
    const waiting = `select from pg_locks where relation = 'sse.event_1'::regclass and not granted`;
    await until(async () => (await database.client.query(waiting)).rowCount === 3);
    await database.client.query('select pg_sleep(1.2)');
    await database.client.query('lock table sse.event in access exclusive mode; commit');

    // Each attempt took an id.
    expect(await sent).toMatch(/^1\.\d+$/);
    expect((await page).events[0]).toMatchObject({ data: '1' });
    await until(() => sink.events.length === 2);
    expect(sink.calls).toEqual(['1', '2']);
    expect([...instance.logger.warnings, ...instance.logger.errors]).toEqual([]);
  });
});
