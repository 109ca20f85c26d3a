import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { record, startInstance, stopAll } from './event-table-rig.js';

let database: TestDatabase;
beforeEach(async () => void (database = await createDatabase('LATIN1')));
afterEach(async () => {
  await stopAll();
  await database.drop();
});

const NO_EVENTS = /^Postgres event table: the channel "(📦|日本)" has no events, .*no equivalent/;

describe('A channel whose name the database cannot hold', () => {
  it('does not keep the events of others from being read', async () => {
    const instance = await startInstance(database.url, { pollInterval: 50 });
    const { table, logger } = instance;
    const names = ['a', '📦', 'é', '日本', 'z'];
    const sinks = names.map((name) => record(instance, name));
    const held = [0, 2, 4];
    for (const index of held) {
      for (let n = 0; n < 10; n++) await table.publish(names[index]!, { data: `${n} é` });
    }
    await until(() => held.every((index) => sinks[index]!.events.length >= 10));
    expect(sinks.map(({ calls }) => calls.length)).toEqual([10, 0, 10, 0, 10]);
    expect(sinks.map(({ isLive }) => isLive)).toEqual(names.map(() => true));
    // Told once for each, and not with each look.
    expect(logger.errors).toEqual([
      expect.stringMatching(NO_EVENTS),
      expect.stringMatching(NO_EVENTS),
    ]);
    expect(logger.warnings).toEqual([]);
  });

  it('takes no event, and its history is empty', async () => {
    const instance = await startInstance(database.url);
    await expect(instance.table.publish('📦', { data: 'x' })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringContaining('UTF8'),
    });
    const { history } = instance.table.open('📦', record(instance, 'a'));
    for (const position of [undefined, '1.0']) {
      expect(await history!.read(position, 10)).toEqual({ events: [], last: true });
    }
  });
});

describe('An own id that the database cannot hold', () => {
  it('is one that it does not have', async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    await instance.table.publish('a', { data: 'x', id: 'é' });
    await until(() => sink.events.length === 1);
    const { history } = instance.table.open('a', sink);
    expect(await history!.read('📦', 10)).toMatchObject({ reset: 'unknown-position' });
    expect(await history!.read('é', 10)).toMatchObject({ events: [], position: '1.1' });
  });
});
