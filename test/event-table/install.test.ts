import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  dropDurableTriggerSql,
  dropEventTableSql,
  dropTriggerSql,
  durableTriggerSql,
  eventTableSql,
  triggerSql,
} from '../../lib/index.js';
import { SCHEMA_VERSION } from '../../lib/sources/event-table/event-table-sql.js';
import { until } from '../support/until.js';
import { databaseForEach } from './each-database.js';
import { connect, createInstance, record, startInstance, stopAll } from './event-table-rig.js';

const database = databaseForEach();

const message = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => '',
    (error: Error) => error.message,
  );

describe('Installing the event table', () => {
  it("works again at any time, also while a writer's transaction is open", async () => {
    await database.client.query(eventTableSql());
    await database.client.query(eventTableSql());
    const writer = await connect(database.url);
    await writer.query('begin');
    await writer.query(`select sse.publish('a', 'x')`);
    await database.client.query(`set lock_timeout = '2s'`);
    await database.client.query(eventTableSql());
    await writer.query('commit');
    const { rows } = await database.client.query(
      'select max(version) as version, count(*)::int as count from sse.meta',
    );
    expect(rows).toEqual([{ version: SCHEMA_VERSION, count: 1 }]);
  });

  it('happens once when many instances start at the same time', async () => {
    const instances = await Promise.all(
      Array.from({ length: 8 }, () => startInstance(database.url, { schema: 'Events_2' })),
    );
    const sinks = instances.map((instance) => record(instance, 'a'));
    await instances[3]!.table.publish('a', { data: 'x' });
    await until(() => sinks.every(({ events }) => events.length === 1));
    const { rows } = await database.client.query(
      'select count(*)::int as count from "Events_2".meta',
    );
    expect(rows).toEqual([{ count: 1 }]);
  });

  it('happens once when programs run its SQL while instances start', async () => {
    for (let round = 0; round < 5; round++) {
      const schema = `round_${round}`;
      const clients = await Promise.all(Array.from({ length: 4 }, () => connect(database.url)));
      await Promise.all([
        ...clients.map((client) => client.query(eventTableSql({ schema }))),
        startInstance(database.url, { schema }),
        startInstance(database.url, { schema }),
      ]);
      const { rows } = await database.client.query(
        `select count(*)::int as count from "${schema}".meta`,
      );
      expect(rows).toEqual([{ count: 1 }]);
    }
  });

  it('comes before what send() publishes right after a start without `failFast`', async () => {
    const instance = createInstance(database.url, { install: true });
    await instance.table.start(false);
    const client = await connect(database.url);
    expect(
      await Promise.all([
        instance.table.publish('a', { data: 'x' }),
        instance.table
          .publish('a', { data: 'y' }, { transaction: client })
          .then((id) => id.split('.')[0]),
      ]),
    ).toEqual([expect.stringMatching(/^1[.][12]$/), '1']);
  });

  it('succeeds once the role may do it; until then send() points to the log instead of proposing `install`', async () => {
    const role = `${new URL(database.url).pathname.slice(1)}_app`;
    await database.client.query(`create role ${role} login password 'x'`);
    try {
      const url = new URL(database.url);
      url.username = role;
      url.password = 'x';
      const instance = createInstance(url.href, { install: true });
      await instance.table.start(false);
      await until(() => instance.logger.errors.length === 1);
      expect(instance.logger.errors[0]).toContain('permission denied for database');
      await expect(instance.table.publish('a', { data: 'x' })).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/installation .*the log says why(?!.*install: true)/),
      });
      await database.client.query(`grant create on database ${role.slice(0, -4)} to ${role}`);
      await until(() => instance.table.stats.position);
      expect(await instance.table.publish('a', { data: 'x' })).toBe('1.1');
    } finally {
      await stopAll();
      const owner = await connect(database.url);
      await owner.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('upgrades a table in use, and keeps its events', async () => {
    await database.client.query(await readFile(new URL('version-1.sql', import.meta.url), 'utf8'));
    await database.client.query(
      `insert into sse.event (topic, event, data) values ('a', 'old', 'from version 1')`,
    );
    await expect(createInstance(database.url).table.start(true)).rejects.toThrow(
      `The event table in the schema "sse" has version 1; this release needs ${SCHEMA_VERSION}`,
    );
    const instance = await startInstance(database.url);
    const sink = record(instance, 'a');
    await database.client.query(`select sse.publish('a', 'new', 'name', 'own', 3, true)`);
    await until(() => sink.events.length === 1);
    const history = instance.table.open('a', sink).history!;
    expect((await history.read(undefined, 10)).events).toEqual([
      { position: '1.1', type: 'old', data: 'from version 1' },
      { position: '1.2', type: 'name', data: 'new', id: 'own', retry: 3, end: true },
    ]);
  });

  it('never downgrades: an older release works with the newer table', async () => {
    await database.client.query(eventTableSql());
    await database.client.query(`insert into sse.meta (version) values (99)`);
    expect(await message(database.client.query(eventTableSql()))).toContain('newer than version');
    const instance = await startInstance(database.url);
    expect(await instance.table.publish('a', { data: 'x' })).toBe('1.1');
  });

  it('appears as the remedy in the error while the table is missing; the reader goes on once it exists', async () => {
    await expect(createInstance(database.url).table.start(true)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('npx nestjs-sse-channels sql --event-table --schema sse'),
    });
    const instance = createInstance(database.url);
    await instance.table.start(false);
    const sink = record(instance, 'a');
    await until(() => instance.logger.errors.length);
    expect(await message(instance.table.publish('a', { data: 'x' }))).toContain(
      'The event table is not in the schema "sse"',
    );
    await database.client.query(eventTableSql());
    await until(() => sink.isLive);
    await instance.table.publish('a', { data: 'there' });
    await until(() => sink.data[0] === 'there');
    expect(instance.logger.errors).toHaveLength(1);
  });
});

describe('The SQL of this package', () => {
  const table = { table: 'item', channel: 'news' };
  const steps: Record<string, string> = {
    'a trigger that notifies': triggerSql(table),
    'its removal': dropTriggerSql(table),
    'the table': eventTableSql(),
    'a durable trigger': durableTriggerSql(table),
    'its removal too': dropDurableTriggerSql(table),
    'the removal of the table': dropEventTableSql({ force: true }),
  };

  it('may be run by several at once', async () => {
    await database.client.query('create table item (id integer primary key)');
    const clients = await Promise.all(Array.from({ length: 6 }, () => connect(database.url)));
    const errors: string[] = [];
    for (let round = 0; round < 10; round++) {
      for (const [name, sql] of Object.entries(steps)) {
        const messages = await Promise.all(clients.map((client) => message(client.query(sql))));
        errors.push(...messages.filter(Boolean).map((text) => `${name}: ${text}`));
      }
    }
    expect(errors).toEqual([]);
  });
});

describe('The documented privileges', () => {
  const roles: string[] = [];
  const role = async (name: string): Promise<{ name: string; url: string }> => {
    const unique = `${name}_${new URL(database.url).pathname.slice(-8)}`;
    await database.client.query(`create role ${unique} login password 'secret'`);
    roles.push(unique);
    const url = new URL(database.url);
    url.username = unique;
    url.password = 'secret';
    return { name: unique, url: url.href };
  };
  afterEach(async () => {
    for (const name of roles.splice(0)) {
      await database.client.query(`drop owned by ${name} cascade`);
      await database.client.query(`drop role ${name}`);
    }
  });

  it('suffice for an owner, publishers, trigger owners and readers, none of them a superuser', async () => {
    const [owner, publisher, author, reader] = [
      await role('owner'),
      await role('publisher'),
      await role('author'),
      await role('reader'),
    ];
    const { rows } = await database.client.query<{ name: string }>(
      'select current_database() as name',
    );
    await database.client.query(`grant create on database ${rows[0]!.name} to ${owner.name}`);
    const owns = await connect(owner.url);
    await owns.query(eventTableSql());
    await owns.query(`
      grant usage on schema sse to ${publisher.name}, ${author.name}, ${reader.name};
      grant select on sse.event, sse.meta to ${reader.name};
      grant execute on function sse.extend(bigint, integer), sse.usage(), sse.roll(), sse.drop_partition(text), sse.clean_runs(bigint) to ${reader.name};
    `);
    await database.client.query(
      `create schema app authorization ${author.name}; grant usage on schema app to public`,
    );

    const instance = createInstance(reader.url);
    await instance.table.start(true);
    const sink = record(instance, 'a');
    await until(() => sink.isLive && instance.table.stats.disk);

    const publishes = await connect(publisher.url);
    await publishes.query(`select sse.publish('a', 'published')`);
    const writes = await connect(author.url);
    await writes.query('create table app.rows (id int)');
    await writes.query(durableTriggerSql({ table: 'app.rows', channel: 'a' }));
    await writes.query(`grant insert on app.rows to ${publisher.name}`);
    await publishes.query('insert into app.rows values (1)');
    // Those who write to the table of a trigger need nothing in the event table's schema.
    await owns.query(`revoke usage on schema sse from ${publisher.name}`);
    await publishes.query('insert into app.rows values (2)');
    await instance.table.publish('a', { data: 'sent' });
    await until(() => sink.events.length === 4);
    expect(sink.data).toEqual(['published', '{"id":1}', '{"id":2}', 'sent']);
    expect(instance.logger.warnings).toEqual([]);

    expect(await message(publishes.query(`select sse.publish('a', 'x')`))).toContain(
      'permission denied',
    );
    for (const statement of [
      `insert into sse.event (topic, data) values ('a', 'x')`,
      'select data from sse.event',
      'select sse.drop_partition($$event_1$$)',
      'select sse.roll()',
      `select setval('sse.event_id_seq', 1)`,
    ]) {
      expect(await message(writes.query(statement))).toContain('permission denied');
    }
  });

  it('appear in the error of a role that lacks one', async () => {
    await database.client.query(eventTableSql());
    const nobody = await role('nobody');
    await expect(createInstance(nobody.url).table.start(true)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(
        'The role may not use the event table in the schema "sse". Grant it',
      ),
    });
    expect(await message(createInstance(nobody.url).table.publish('a', { data: 'x' }))).toContain(
      'The role may not use the event table',
    );
    // Whoever may read but not maintain goes on reading, and says so once.
    await database.client.query(
      `grant usage on schema sse to ${nobody.name}; grant select on sse.event, sse.meta to ${nobody.name}`,
    );
    const instance = createInstance(nobody.url, { retainInterval: 50 });
    await instance.table.start(true);
    const sink = record(instance, 'a');
    await until(() => sink.isLive && instance.logger.warnings.length);
    await instance.table.publish('a', { data: 'x' });
    await until(() => sink.events.length === 1);
    expect(instance.logger.warnings).toEqual([
      expect.stringContaining('the retention cannot be applied: The role may not use'),
    ]);
  });
});
