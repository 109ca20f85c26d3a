import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { EventTable } from '../../lib/sources/event-table/event-table.js';
import { ListenSource } from '../../lib/sources/postgres/listen-source.js';
import { Notifier } from '../../lib/sources/postgres/notifier.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import { until } from '../support/until.js';
import { startPidChangingProxy } from './listen-pooler-proxy.js';
import {
  listeningBackends,
  RecordingLogger,
  RecordingSink,
  statements,
} from './listen-recording.js';
import { listenRig } from './listen-rig.js';

/** Parsers as applications set them for the whole process: other classes, or what throws. */
const FOREIGN_PARSERS: [number, (text: string) => unknown][] = [
  [16, (text) => ({ yes: text })],
  [20, (text) => BigInt(text)],
  [21, () => undefined],
  [23, (text) => ({ number: text })],
  [25, (text) => [text]],
  [26, () => null],
  [701, (text) => `${text}!`],
  [
    1009,
    () => {
      throw new Error('the parser of text[] was called');
    },
  ],
];

describe('Our sessions', () => {
  const rig = listenRig();
  const defaults = FOREIGN_PARSERS.map(([oid]) => [oid, pg.types.getTypeParser(oid)] as const);

  afterEach(() => {
    defaults.forEach(([oid, parser]) => pg.types.setTypeParser(oid, parser));
    pg.defaults.binary = false;
  });

  let tables = 0;

  /** An event table, and what a channel of its own received. */
  async function table(option: ConstructorParameters<typeof PostgresConnection>[0]) {
    const connection = new PostgresConnection(option, rig.url);
    const logger = new RecordingLogger();
    const events = new EventTable(connection, logger, { install: true, pollInterval: 200 });
    rig.cleanUp(async () => {
      await events.stop();
      await connection.stop();
    });
    await events.start(true);
    const sink = new RecordingSink();
    const channel = `news ${++tables}`;
    const { history } = events.open(channel, sink);
    await until(() => sink.isLive);
    return { events, channel, logger, sink, history: history! };
  }

  it.each([
    ['connections of our own', () => rig.url],
    [
      "the application's pool",
      () => {
        const pool = new pg.Pool({ connectionString: rig.url });
        rig.cleanUp(() => pool.end());
        return pool;
      },
    ],
  ])('read values correctly over %s, whatever parsers the process has set', async (_, option) => {
    for (const [oid, parse] of FOREIGN_PARSERS) pg.types.setTypeParser(oid, parse);
    const listen = rig.listening(option(), { healthInterval: 20, listenConnection: rig.url });
    const heard = await rig.open(listen, 'parsers');
    await listen.notify('parsers', 'a');
    // Health checks read arrays; one that fails ends the session.
    const checks = `select count(*) from pg_stat_activity where query like '%pg_listening_channels%'
      and application_name = 'nestjs-sse-channels listen'`;
    await until(async () => (await rig.writer.query({ text: checks, rowMode: 'array' })).rows[0]);
    await until(() => heard.events.length === 1);

    const { events, channel, logger, sink, history } = await table(option());
    const ids = [
      await events.publish(channel, { data: 'x'.repeat(20_000), retry: 7 }),
      await events.publish(channel, { data: 'b', end: true }),
    ];
    await until(() => sink.events.length === 2);
    const page = await history.read(undefined, 10);
    expect(sink.events.map(({ position }) => position)).toEqual(ids);
    expect(page.events.map(({ position }) => position)).toEqual(ids);
    expect(page.events.map(({ retry, end }) => [retry, end])).toEqual([
      [7, undefined],
      [undefined, true],
    ]);
    expect([...listen.logger.errors, ...logger.errors, ...logger.warnings]).toEqual([]);
    expect(heard.calls).toEqual(['live', 'a']);
  });

  it('read the id of an event published in a transaction, whatever parsers its client has', async () => {
    for (const [oid, parse] of FOREIGN_PARSERS) pg.types.setTypeParser(oid, parse);
    const { events, channel, sink } = await table(rig.url);
    const wrapped = {
      query: (text: string, values: unknown[]) => rig.writer.query(text, values),
    };
    const ids = [
      await events.publish(channel, { data: 'a' }, { transaction: rig.writer }),
      await events.publish(channel, { data: 'b' }, { transaction: wrapped }),
    ];
    await until(() => sink.events.length === 2);
    expect(sink.events.map(({ position }) => position)).toEqual(ids);
  });

  it('read values correctly when the application asks for binary ones', async () => {
    pg.defaults.binary = true;
    const { events, channel, logger, sink, history } = await table(rig.url);
    const id = await events.publish(channel, { data: 'a' });
    await until(() => sink.events.length === 1);
    const { events: page } = await history.read(undefined, 10);
    expect(page.map(({ position }) => position)).toContain(id);
    expect([...logger.errors, ...logger.warnings]).toEqual([]);
  });

  it('have names of their own, unless the user gives one', async () => {
    const listen = rig.listening(rig.url);
    await rig.open(listen, 'names');
    await listen.notify('names', '');
    await table(rig.url);
    const named = rig.listening({ connectionString: rig.url, application_name: 'shop' });
    await rig.open(named, 'names');
    const names = await until(async () => {
      const { rows } = await rig.writer.query<{ name: string }>(
        `select distinct application_name as name from pg_stat_activity
         where datname = current_database() and application_name <> '' order by 1`,
      );
      return rows.length >= 5 && rows.map(({ name }) => name);
    });
    expect(names).toEqual([
      'nestjs-sse-channels event table',
      'nestjs-sse-channels listen',
      'nestjs-sse-channels statements',
      'nestjs-sse-channels waker',
      'shop',
    ]);
  });
});

describe('Time limits of a role', () => {
  const rig = listenRig();

  it('end none of our sessions, and none of our statements', async () => {
    const limits = await rig.writer.query<{ name: string }>(
      `select name from pg_settings where name in ('statement_timeout', 'lock_timeout',
       'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`,
    );
    for (const { name } of limits.rows) {
      await rig.writer.query(`do $$ begin execute format('alter role %I in database %I set %I = %L',
        current_user, current_database(), '${name}', '700ms'); end $$`);
    }
    const connection = new PostgresConnection(rig.url);
    const logger = new RecordingLogger();
    const events = new EventTable(connection, logger, { install: true });
    const listen = new ListenSource(connection, logger);
    const notifier = new Notifier(connection);
    rig.cleanUp(async () => {
      await events.stop();
      await listen.stop();
      await connection.stop();
    });
    await events.start(true);
    const sinks = [new RecordingSink(), new RecordingSink()] as const;
    events.open('news', sinks[0]);
    listen.open('news', sinks[1]);
    await until(() => sinks.every(({ isLive }) => isLive));
    await notifier.notify('news', 'first');
    const backends = () => listeningBackends(rig.writer).then((pids) => pids.sort());
    const before = await backends();
    // Another session's statement is ended by the limits twice meanwhile.
    for (let time = 0; time < 2; time++) {
      const other = await statements(rig.url);
      await expect(other.query('select pg_sleep(60)')).rejects.toThrow(/timeout/);
      await other.end().catch(() => undefined);
    }
    // The waker may have come meanwhile; nobody has gone.
    expect(await backends()).toEqual(expect.arrayContaining(before));
    await events.publish('news', { data: 'second' });
    await notifier.notify('news', 'second');
    await until(() => sinks.every(({ data }) => data.includes('second')));
    expect(sinks.map(({ resets }) => resets)).toEqual([0, 0]);
    expect([...logger.errors, ...logger.warnings]).toEqual([]);
  });

  it('remain as they are on a connection that belongs to a pooler', async () => {
    const pooler = await startPidChangingProxy(rig.url);
    const pooled = new PostgresConnection(pooler.url);
    const direct = new PostgresConnection(rig.url);
    rig.cleanUp(async () => {
      await pooled.stop();
      await direct.stop();
      await pooler.close();
    });
    const show = `select setting <> reset_val as changed from pg_settings where name = 'statement_timeout'`;
    expect(await pooled.query(show)).toEqual([{ changed: false }]);
    expect(await direct.query(show)).toEqual([{ changed: true }]);
  });
});
