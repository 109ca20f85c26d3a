import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { freePort } from '../support/free-port.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';
import {
  listening,
  listeningBackends,
  RecordingSink,
  statements,
  type Listening,
} from './listen-recording.js';
import { listenRig } from './listen-rig.js';

async function works(listen: Listening): Promise<void> {
  const sink = new RecordingSink();
  listen.source.open('works', sink);
  await until(() => sink.isLive);
  await listen.notify('works', 'yes');
  await until(() => sink.events.length === 1);
  expect(sink.calls).toEqual(['live', 'yes']);
  expect(listen.logger.errors).toEqual([]);
}

describe('The option `postgres`', () => {
  const rig = listenRig();

  function options(): pg.ClientConfig {
    const url = new URL(rig.url);
    return {
      host: url.hostname,
      port: Number(url.port),
      user: url.username,
      password: url.password,
      database: url.pathname.slice(1),
    };
  }

  it('accepts a URL', () => works(rig.listening(rig.url)));

  it('accepts the options of a client', () => works(rig.listening(options())));

  it('accepts a URL among the options', async () => {
    await works(rig.listening({ connectionString: rig.url }));
  });

  it('accepts a function that fetches a password for each connection', async () => {
    const { password, ...rest } = options();
    await works(rig.listening({ ...rest, password: async () => password as string }));
  });

  it('accepts a pool, borrows its clients for statements, and listens on a connection of its own', async () => {
    const pool = new pg.Pool({ ...options(), max: 1 });
    rig.cleanUp(() => pool.end());
    const listen = rig.listening(pool);
    await works(listen);
    // Without a connection of its own this would wait for ever.
    const borrowed = await pool.connect();
    const sink = new RecordingSink();
    listen.source.open('pool', sink);
    await until(() => sink.isLive);
    await borrowed.query(`notify pool, 'x'`);
    await until(() => sink.events.length === 1);
    const channels = await borrowed.query('select pg_listening_channels()');
    expect(channels.rows).toEqual([]);
    borrowed.release();
    await listen.stop();
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it.each(['URL', 'options'])(
    'accepts a client created from %s, and does not close it',
    async (from) => {
      const client = new pg.Client(from === 'URL' ? rig.url : options());
      await client.connect();
      rig.cleanUp(() => client.end());
      const listen = rig.listening(client);
      await works(listen);
      await listen.stop();
      expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    },
  );

  it("runs notify() on the application's client, so that the client's transaction decides over it", async () => {
    const client = await statements(rig.url);
    rig.cleanUp(() => client.end());
    const listen = rig.listening(client);
    const sink = new RecordingSink();
    listen.source.open('tx', sink);
    await until(() => sink.isLive);
    await client.query('begin');
    await listen.notify('tx', 'rolled back');
    await client.query('rollback');
    await listen.notify('tx', 'kept');
    await until(() => sink.events.length === 1);
    expect(sink.data).toEqual(['kept']);
  });

  it('opens a connection only when one is needed, and shows its name to the server', async () => {
    const listen = rig.listening(rig.url);
    await listen.source.start(false);
    await listen.connection.start();
    expect(await listeningBackends(rig.writer)).toEqual([]);
    expect(await listen.connection.query('select 1 as one')).toEqual([{ one: 1 }]);
    expect(await listeningBackends(rig.writer)).toHaveLength(1);
    await listen.stop();
    await until(async () => (await listeningBackends(rig.writer)).length === 0);
  });

  it("passes on the server's error for a statement", async () => {
    const listen = rig.listening(rig.url);
    await expect(listen.connection.query('select * from nowhere')).rejects.toMatchObject({
      code: '42P01',
    });
  });

  it('names the server that was away when a statement could not run', async () => {
    const listen = rig.listening(`postgres://me:secret@localhost:${await freePort()}/app`);
    await expect(listen.notify('x', 'y')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/ECONNREFUSED.*`postgres`/),
    });
  });

  it.each([
    ['', '`postgres` is an empty string'],
    ['mysql://me:secret@host/app', '`postgres` is "mysql://***", which does not begin with'],
    ['postgres//me:secret@host/app', '`postgres` is "postgres//***"'],
    ['postgres://me:secret@host:99999/app', '"postgres://***", which cannot be read'],
    ['postgres://me:sec%ret@host/app', 'write a % as %25'],
    ['postgres://me:12/secret@host/app', 'an @ stands behind the host'],
    ['postgres://me:12#secret@host/app', 'an @ stands behind the host'],
    ['postgres://me:12?secret@host/app', 'an @ stands behind the host'],
    ['postgres:///me:secret@host/app', 'an @ stands behind the host'],
    ['postgres://me:se@c:r:et@ho st/app', '"postgres://***", which cannot be read'],
    ['me:secret@host', '`postgres` is "***"'],
    ['host=x password=secret', '`postgres` is a string of key=value pairs'],
    [7 as never, '`postgres` is a number'],
    [null as never, '`postgres` is null'],
    [['postgres://me:secret@host'] as never, '`postgres` is an array'],
    [new URL('postgres://me:secret@host') as never, '`postgres` is a URL object'],
    [{ connectionString: 'nonsense' }, '`postgres.connectionString` is "***"'],
    [{ connectionString: 5 as never }, '`postgres.connectionString` is a number'],
    [{ port: 70_000 }, '`postgres.port` is 70000'],
    [{ port: 'secret' as never }, '`postgres.port` is a string'],
    [{ password: 5 as never }, '`postgres.password` is a number'],
    [{ query: () => new Promise<never>(() => undefined) }, 'listenConnection'],
  ])('refuses %j', (option, message) => {
    const refused = expect.objectContaining({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(message),
    });
    expect(() => listening(option)).toThrow(refused);
    expect(() => listening(option)).not.toThrow(/sec|c:r|host\/app/);
  });

  it('names `listenConnection` in the error when that one is wrong', () => {
    expect(() => listening(rig.url, { listenConnection: 'nonsense' })).toThrow(
      '`listenConnection` is "***"',
    );
  });

  it('accepts any object with query() beside a `listenConnection`', async () => {
    const wrapped = { query: (text: string, values?: unknown[]) => rig.writer.query(text, values) };
    await works(rig.listening(wrapped, { listenConnection: rig.url }));
  });

  it('keeps no process alive after stop()', async () => {
    const program = `
      import { ListenSource } from './lib/sources/postgres/listen-source.ts';
      import { Notifier } from './lib/sources/postgres/notifier.ts';
      import { PostgresConnection } from './lib/sources/postgres/postgres-connection.ts';
      const connection = new PostgresConnection(process.env.SERVER);
      const source = new ListenSource(connection, console);
      const heard = new Promise((append) => {
        source.open('x', {
          live: () => void new Notifier(connection).notify('x', 'y'), append, reset: console.error });
      });
      await heard;
      await source.stop();
      await connection.stop();`;
    const loader = ['--import', join(projectRoot, 'scripts/typescript.mjs')];
    await promisify(execFile)(
      process.execPath,
      [...loader, '--input-type=module', '--eval', program],
      { cwd: projectRoot, timeout: 10_000, env: { ...process.env, SERVER: rig.url } },
    );
  });

  it('leads to an error with the install command when pg is not installed', async () => {
    // Outside of this project, where no node_modules has the package.
    const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-no-pg-'));
    rig.cleanUp(() => rm(folder, { recursive: true }));
    await cp(join(projectRoot, 'lib'), join(folder, 'lib'), { recursive: true });
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(
      join(folder, 'main.ts'),
      `import { ListenSource } from './lib/sources/postgres/listen-source.js';
       import { Notifier } from './lib/sources/postgres/notifier.js';
       import { PostgresConnection } from './lib/sources/postgres/postgres-connection.js';
       const connection = new PostgresConnection('postgres://localhost/x');
       const source = new ListenSource(connection, console);
       const failed = await Promise.allSettled([
         source.start(false), connection.start(), new Notifier(connection).notify('x', 'y')]);
       console.log(JSON.stringify(failed.map(({ reason }) => [reason.code, reason.message])));
       await source.stop();
       await connection.stop();`,
    );
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', join(projectRoot, 'scripts/typescript.mjs'), join(folder, 'main.ts')],
      { cwd: folder },
    );
    const failed = JSON.parse(stdout) as [string, string][];
    expect(failed).toHaveLength(3);
    for (const [code, message] of failed) {
      expect(code).toBe('MISSING_PEER');
      expect(message).toContain('npm install pg');
    }
  });
});
