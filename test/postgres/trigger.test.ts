import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { triggerSql } from '../../lib/sources/postgres/trigger-sql.js';
import { until } from '../support/until.js';
import { statements, type Listening, type RecordingSink } from './listen-recording.js';
import { listenRig } from './listen-rig.js';

describe('A trigger from triggerSql()', () => {
  const rig = listenRig();
  let sql: pg.Client;
  let listen: Listening;
  let warnings: string[];

  beforeAll(() => {
    sql = rig.writer;
    sql.on('notice', (notice) => {
      if (notice.severity === 'WARNING') warnings.push(notice.message ?? '');
    });
  });

  beforeEach(() => {
    warnings = [];
    listen = rig.listening(rig.url);
  });

  afterEach(async () => {
    await sql.query('drop schema if exists public cascade; create schema public');
  });

  const open = (channel: string): Promise<RecordingSink> => rig.open(listen, channel);

  /** What the sink has heard once everything sent so far has arrived. */
  async function heard(sink: RecordingSink, channel: string) {
    await sql.query('select pg_notify($1, $2)', [channel, 'mark']);
    await until(() => sink.data.includes('mark'));
    return sink.events
      .splice(0)
      .filter(({ data }) => data !== 'mark')
      .map(({ type, data }) => [type, JSON.parse(data) as unknown]);
  }

  /** Creates a table whose rows may be large, and opens its channel. */
  async function bigTable(columns: string, key?: string | string[]): Promise<RecordingSink> {
    await sql.query(`create table big (${columns})`);
    const options = { table: 'big', channel: 'big', ...(key === undefined ? {} : { key }) };
    await sql.query(triggerSql(options));
    return open('big');
  }

  function insert(values: string) {
    return sql.query(`insert into big values ${values}`);
  }

  it('notifies of inserts, updates and deletes, with the operation as type and the row as data', async () => {
    await sql.query('create table users (id int primary key, name text, tags text[])');
    await sql.query(triggerSql({ table: 'users', channel: 'user_updates' }));
    const sink = await open('user_updates');
    await sql.query(`insert into users values (1, 'Zoë "Z" \\ 🎉', '{a,b}'), (2, null, null)`);
    await sql.query(`update users set name = 'x' where id = 2`);
    await sql.query('delete from users where id = 1');
    await sql.query('update users set name = name where id = 77');
    expect(await heard(sink, 'user_updates')).toEqual([
      ['insert', { id: 1, name: 'Zoë "Z" \\ 🎉', tags: ['a', 'b'] }],
      ['insert', { id: 2, name: null, tags: null }],
      ['update', { id: 2, name: 'x', tags: null }],
      ['delete', { id: 1, name: 'Zoë "Z" \\ 🎉', tags: ['a', 'b'] }],
    ]);
  });

  it('notifies nobody when its transaction is rolled back', async () => {
    await sql.query('create table users (id int primary key)');
    await sql.query(triggerSql({ table: 'users', channel: 'rollback' }));
    const sink = await open('rollback');
    await sql.query('begin; insert into users values (1); rollback');
    await sql.query('insert into users values (2)');
    expect(await heard(sink, 'rollback')).toEqual([['insert', { id: 2 }]]);
  });

  it('sends plain JSON to other listeners', async () => {
    await sql.query('create table users (id int primary key)');
    await sql.query(triggerSql({ table: 'users', channel: 'foreign' }));
    const payloads: (string | undefined)[] = [];
    const other = await statements(rig.url);
    other.on('notification', ({ payload }) => payloads.push(payload));
    await other.query('listen "foreign"');
    await sql.query('insert into users values (1)');
    await until(() => payloads.length === 1);
    await other.end();
    expect(payloads).toEqual(['{"sse":"insert","data":{"id":1}}']);
  });

  it('notifies of the chosen operations only, and its SQL can run again with other operations', async () => {
    await sql.query('create table users (id int primary key)');
    const text = triggerSql({ table: 'users', channel: 'some', events: ['delete', 'insert'] });
    await sql.query(text);
    await sql.query(text);
    const sink = await open('some');
    const change = () =>
      sql.query('insert into users values (1); update users set id = 2; delete from users');
    await change();
    expect(await heard(sink, 'some')).toEqual([
      ['insert', { id: 1 }],
      ['delete', { id: 2 }],
    ]);
    await sql.query(triggerSql({ table: 'users', channel: 'some', events: ['update'] }));
    await change();
    expect(await heard(sink, 'some')).toEqual([['update', { id: 2 }]]);
  });

  it('can stand beside others on one table, each for its own channel', async () => {
    const long = 'c'.repeat(63);
    await sql.query('create table users (id int primary key)');
    for (const channel of [long, `${long.slice(1)}d`, 'short']) {
      await sql.query(triggerSql({ table: 'users', channel }));
    }
    const sinks = [await open(long), await open(`${long.slice(1)}d`), await open('short')];
    await sql.query('insert into users values (1)');
    await until(() => sinks.every((sink) => sink.events.length > 0));
    expect(sinks.map((sink) => sink.data)).toEqual(sinks.map(() => ['{"id":1}']));
  });

  describe('with a row that is too large for a notification', () => {
    it('lets it be written, whatever its size, and notifies with the whole row or its key', async () => {
      const sink = await bigTable('id int primary key, body text');
      const sizes = [
        0, 1_000, 3_900, 3_918, 3_919, 3_920, 3_925, 3_930, 3_960, 4_000, 8_000, 1_000_000,
      ];
      for (const size of sizes) {
        await sql.query(`insert into big values ($1, repeat('é', $1))`, [size]);
      }
      const { rows } = await sql.query('select count(*)::int as count from big');
      expect(rows).toEqual([{ count: sizes.length }]);
      const events = await heard(sink, 'big');
      expect(events).toHaveLength(sizes.length);
      for (const [index, size] of sizes.entries()) {
        const body = 'é'.repeat(size);
        const whole = `{"sse":"insert","data":{"id":${size},"body":"${body}"}}`;
        const fits = Buffer.byteLength(whole) <= 7_900;
        expect(events[index]).toEqual([
          'insert',
          fits ? { id: size, body } : { truncated: true, id: size },
        ]);
      }
      expect(warnings).toEqual([]);
    });

    it('notifies with the key on update and delete as well', async () => {
      const sink = await bigTable('id bigint primary key, body text');
      await insert(`(9007199254740993, 'small')`);
      await sql.query(`update big set body = repeat('x', 9000)`);
      await sql.query('delete from big');
      await sql.query(`select pg_notify('big', 'mark')`);
      await until(() => sink.data.includes('mark'));
      // As text: JavaScript's numbers do not hold such a key, JSON does.
      expect(sink.data.slice(1, 3)).toEqual(
        Array(2).fill('{"id": 9007199254740993, "truncated": true}'),
      );
      expect(sink.events.slice(1, 3).map(({ type }) => type)).toEqual(['update', 'delete']);
    });

    it.each([
      [
        'a composite key',
        'a int, "B b" text, body text, primary key ("B b", a)',
        undefined,
        { a: 1, 'B b': 'k' },
      ],
      ['no key', 'a int, "B b" text, body text', undefined, {}],
      [
        'a key that includes more',
        'a int, "B b" text, body text, primary key (a) include ("B b")',
        undefined,
        { a: 1 },
      ],
      ['a chosen key', 'a int primary key, "B b" text, body text', 'B b', { 'B b': 'k' }],
      ['two chosen columns', 'a int, "B b" text, body text', ['B b', 'a'], { a: 1, 'B b': 'k' }],
      ['a chosen column that it has not', 'a int, "B b" text, body text', 'nope', { nope: null }],
    ])('notifies with the key of a table with %s', async (_, columns, key, expected) => {
      const sink = await bigTable(columns, key);
      await insert(`(1, 'k', repeat('x', 8000))`);
      expect(await heard(sink, 'big')).toEqual([['insert', { truncated: true, ...expected }]]);
      expect(warnings).toEqual([]);
    });

    it('notifies without the key when the key is too large as well', async () => {
      const sink = await bigTable('a text primary key, b text');
      await sql.query('alter table big drop constraint big_pkey');
      await sql.query(triggerSql({ table: 'big', channel: 'big', key: 'a' }));
      await insert(`(repeat('x', 9000), 'y')`);
      expect(await heard(sink, 'big')).toEqual([['insert', { truncated: true }]]);
    });

    it('notifies with a "truncated" of ours in place of a column of that name', async () => {
      const sink = await bigTable('truncated text primary key, body text');
      await insert(`('no', repeat('x', 8000))`);
      expect(await heard(sink, 'big')).toEqual([['insert', { truncated: true }]]);
    });
  });

  it.each([
    ['upper case', 'Users', '"Users"', undefined],
    ['quotes', '"a ""b"" c"', '"a ""b"" c"', undefined],
    ['a dot', '"a.b"', '"a.b"', undefined],
    ['a dot, by option', 'a.b', 'public."a.b"', 'public'],
    ['a reserved word', 'order', '"order"', undefined],
    ['emoji', '🎉', '"🎉"', undefined],
    ['a schema', 'public.users', 'public.users', undefined],
    ['63 bytes', 't'.repeat(63), 't'.repeat(63), undefined],
    ['an attack', `"x; drop table y; --\n""'"`, `"x; drop table y; --\n""'"`, undefined],
  ])('finds a table whose name has %s', async (_, table, inSql, schema) => {
    const channel = `it's "${'\\'}" Upper`;
    await sql.query(`create table ${inSql} ("Id" int primary key, "quo""te'" text)`);
    const text = triggerSql({ table, channel, key: `quo"te'`, ...(schema ? { schema } : {}) });
    await sql.query(text);
    await sql.query(text);
    const sink = await open(channel);
    await sql.query(`insert into ${inSql} values (1, 'x')`);
    expect(await heard(sink, channel)).toEqual([['insert', { Id: 1, 'quo"te\'': 'x' }]]);
    expect(warnings).toEqual([]);
  });

  it('quotes its channel correctly also where backslashes escape', async () => {
    await sql.query('create table users (id int primary key)');
    await sql.query(`set standard_conforming_strings = off`).catch(() => undefined);
    await sql.query(triggerSql({ table: 'users', channel: `\\'; drop table users; --` }));
    await sql.query('reset standard_conforming_strings');
    const sink = await open(`\\'; drop table users; --`);
    await sql.query('insert into users values (1)');
    await until(() => sink.events.length === 1);
  });

  it("works for a table in another schema, whatever the writer's search path is", async () => {
    await sql.query('create schema app; create table app.users (id int primary key)');
    await sql.query(triggerSql({ table: 'app.users', channel: 'app' }));
    const sink = await open('app');
    await sql.query(
      `begin; set local search_path = pg_temp; insert into app.users values (1); commit`,
    );
    expect(await heard(sink, 'app')).toEqual([['insert', { id: 1 }]]);
    await sql.query('drop schema app cascade');
  });

  it('notifies of the rows of a partitioned table', async () => {
    await sql.query(`
      create table parted (id int primary key, body text) partition by range (id);
      create table parted_1 partition of parted for values from (0) to (100)`);
    await sql.query(triggerSql({ table: 'parted', channel: 'parted' }));
    const sink = await open('parted');
    await sql.query(`insert into parted values (1, repeat('x', 8000))`);
    expect(await heard(sink, 'parted')).toEqual([['insert', { id: 1, truncated: true }]]);
  });

  it('turns an error of its own into a warning, so that the row is written', async () => {
    await sql.query(`
      create table users (id int primary key);
      create type odd as enum ('x');
      create function odd_json(odd) returns json language plpgsql
        as $$ begin raise 'cannot be shown'; end $$;
      create cast (odd as json) with function odd_json(odd);
      alter table users add column odd odd`);
    await sql.query(triggerSql({ table: 'users', channel: 'odd' }));
    const sink = await open('odd');
    await sql.query(`insert into users values (1, 'x')`);
    await sql.query('insert into users values (2, null)');
    expect((await sql.query('select count(*)::int as count from users')).rows).toEqual([
      { count: 2 },
    ]);
    expect(await heard(sink, 'odd')).toEqual([['insert', { id: 2, odd: null }]]);
    expect(warnings).toEqual(['sse: insert on public.users was not notified: cannot be shown']);
  });

  it('works for a writer who has no right but to insert', async () => {
    await sql.query(`
      create table users (id int primary key, body text);
      drop role if exists sse_test_writer; create role sse_test_writer;
      grant usage on schema public to sse_test_writer;
      grant insert on users to sse_test_writer`);
    await sql.query(triggerSql({ table: 'users', channel: 'writer' }));
    const sink = await open('writer');
    await sql.query(
      `set role sse_test_writer; insert into users values (1, repeat('x', 9000)); reset role`,
    );
    expect(await heard(sink, 'writer')).toEqual([['insert', { id: 1, truncated: true }]]);
    await sql.query('drop owned by sse_test_writer; drop role sse_test_writer');
  });
});

describe('triggerSql() refuses', () => {
  const good = { table: 'users', channel: 'user_updates' };
  it.each([
    ['an empty table', { table: '' }, 'INVALID_OPTION', 'The table ""'],
    ['three parts', { table: 'a.b.c' }, 'INVALID_OPTION', '"a.b.c"'],
    ['an empty part', { table: 'app.' }, 'INVALID_OPTION', '"app."'],
    ['another empty part', { table: '.users' }, 'INVALID_OPTION', '".users"'],
    ['an empty quoted name', { table: '""' }, 'INVALID_OPTION', 'The table is empty'],
    ['an open quote', { table: '"users' }, 'INVALID_OPTION', 'is not a name'],
    ['text after a quote', { table: '"users"x' }, 'INVALID_OPTION', 'is not a name'],
    ['a table of 64 bytes', { table: 'x'.repeat(64) }, 'INVALID_OPTION', 'has 64 bytes'],
    ['a schema of 64 bytes', { table: `${'é'.repeat(32)}.x` }, 'INVALID_OPTION', 'The schema'],
    ['an empty schema', { schema: '' }, 'INVALID_OPTION', 'The schema is empty'],
    ['NUL', { table: 'a\0b' }, 'INVALID_OPTION', 'cannot store'],
    ['no table', { table: undefined as never }, 'INVALID_OPTION', 'undefined'],
    ['an empty channel', { channel: '' }, 'INVALID_CHANNEL', 'is empty'],
    ['a channel of 64 bytes', { channel: 'x'.repeat(64) }, 'INVALID_CHANNEL', '64 bytes'],
    ['an empty key', { key: '' }, 'INVALID_OPTION', 'The key column is empty'],
    ['a long key', { key: ['id', 'x'.repeat(64)] }, 'INVALID_OPTION', 'The key column'],
    ['an unknown event', { events: ['truncate' as never] }, 'INVALID_OPTION', '["truncate"]'],
    ['no event', { events: [] }, 'INVALID_OPTION', 'insert, update, delete'],
  ])('%s', (_, bad, code, message) => {
    expect(() => triggerSql({ ...good, ...bad })).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
