import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createDatabase, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';
import { connect, record, startInstance, stopAll } from './event-table-rig.js';

let database: TestDatabase;
beforeEach(async () => void (database = await createDatabase('LATIN1')));
afterEach(async () => {
  await stopAll();
  await database.drop();
});

const NO_EVENTS = /^Postgres event table: the channel "(📦|日本)" has no events, .*no equivalent/;

describe('A channel whose name the database cannot hold', () => {
  it('does not stop the delivery of other channels', async () => {
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

  it('refuses every event, and has an empty history', async () => {
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
  it('counts as an unknown position', async () => {
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    await instance.table.publish('a', { data: 'x', id: 'é' });
    await until(() => sink.events.length === 1);
    const { history } = instance.table.open('a', sink);
    expect(await history!.read('📦', 10)).toMatchObject({ reset: 'unknown-position' });
    expect(await history!.read('é', 10)).toMatchObject({ events: [], position: '1.1' });
  });
});

describe.each([
  // The server stores any bytes in SQL_ASCII. In WIN1252 five bytes are no character.
  { encoding: 'SQL_ASCII', bytes: '\\xff' },
  { encoding: 'WIN1252', bytes: '\\x81' },
])('A row that cannot be converted from $encoding to UTF-8', ({ encoding, bytes }) => {
  let stored: TestDatabase;
  beforeEach(async () => void (stored = await createDatabase(encoding)));
  afterEach(async () => {
    await stopAll();
    await stored.drop();
  });

  const LEFT_OUT = /^Postgres event table: the event 1\.\d+ of the channel "b" cannot be sent.*0x/;

  it('becomes a reset in its place, live and from history, and every other row arrives', async () => {
    const instance = await startInstance(stored.url, { pollInterval: 50 });
    const client = await connect(stored.url);
    const [a, b] = [record(instance, 'a'), record(instance, 'b')];
    const raw = `convert_from('${bytes}', getdatabaseencoding())`;
    // Around rows that can be read, rows with such bytes in each of the four columns; two at a time.
    await client.query(`insert into sse.event (topic, data, event, own_id)
      select case when n = 700 then ${raw} when n % 2 = 0 then 'a' else 'b' end,
        case when n = 1 then ${raw} when n = 601 then repeat(${raw}, 9000) else n::text end,
        case when n in (201, 203) then ${raw} end, case when n = 303 then ${raw} end
      from generate_series(1, 1000) n`);
    const numbers = Array.from({ length: 1_000 }, (_, index) => index + 1);
    const bad = [1, 201, 203, 303, 601];
    const expected = numbers
      .filter((n) => n % 2 === 1)
      .map((n) => (bad.includes(n) ? 'reset:skipped-event' : String(n)));
    await until(() => b.calls.length >= expected.length && a.calls.length >= 499);
    expect(b.calls).toEqual(expected);
    expect(b.resets).toEqual(bad.map((n) => `skipped-event 1.${n}`));
    expect(a.calls).toEqual(numbers.filter((n) => n % 2 === 0 && n !== 700).map(String));
    expect(instance.logger.errors).toEqual([]);
    expect(instance.logger.warnings).toEqual(bad.map(() => expect.stringMatching(LEFT_OUT)));

    const { history } = instance.table.open('b', b);
    const read: string[] = [];
    for (let position: string | undefined; ;) {
      const page = await history!.read(position, 64);
      expect(page.reset).toBeUndefined();
      read.push(...page.events.map(({ data, reset }) => (reset ? `reset:${reset}` : data)));
      if (page.last) break;
      position = page.events.at(-1)!.position;
    }
    expect(read).toEqual(expected);
  });
});
