import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { freePort } from '../support/free-port.js';
import { startPostgres } from '../support/postgres.js';
import { startProxy } from '../support/proxy.js';
import { until } from '../support/until.js';
import { startPidChangingProxy } from './listen-pooler-proxy.js';
import { listening, listeningBackends, RecordingSink, statements } from './listen-recording.js';
import { listenRig } from './listen-rig.js';

/** Notifies until the sink has heard one. */
async function notifyUntilHeard(client: pg.Client, channel: string, sink: RecordingSink) {
  const before = sink.events.length;
  await until(async () => {
    await client.query('select pg_notify($1, $2)', [channel, 'probe']);
    return sink.events.length > before;
  });
}

describe('The listening connection', () => {
  const rig = listenRig();

  it('announces one gap per killed backend, and delivers once what was sent while it was connected', async () => {
    const listen = rig.listening(rig.url);
    const sinks = [await rig.open(listen, 'killed'), await rig.open(listen, 'killed too')];
    const sent: string[] = [];
    const gaps = 5;
    for (let gap = 1; gap <= gaps; gap++) {
      for (let n = 0; n < 200; n++) {
        const payload = `${gap}.${n}`;
        sent.push(payload);
        await rig.writer.query(`select pg_notify('killed', $1), pg_notify('killed too', $1)`, [
          payload,
        ]);
      }
      await until(() => sinks.every((sink) => sink.events.length >= sent.length));
      const [pid] = await listeningBackends(rig.writer);
      await rig.writer.query('select pg_terminate_backend($1)', [pid]);
      await until(() => sinks.every((sink) => sink.resets >= gap));
    }
    await rig.writer.query(`notify killed, 'end'; notify "killed too", 'end'`);
    await until(() => sinks.every((sink) => sink.data.includes('end')));
    for (const sink of sinks) {
      expect(sink.data).toEqual([...sent, 'end']);
      expect(sink.resets).toBe(gaps);
      expect(sink.calls.filter((call) => call === 'live')).toHaveLength(1);
      // The gap stands where it was.
      expect(sink.calls[201]).toBe('reset:listener-gap');
    }
    expect(await listeningBackends(rig.writer)).toHaveLength(1);
    expect(listen.logger.errors).toHaveLength(gaps);
    expect(listen.logger.logs).toHaveLength(gaps);
  });

  it('works again by itself after the server was stopped and started', async () => {
    const server = await startPostgres();
    rig.cleanUp(() => server.stop());
    const listen = rig.listening(server.url, { healthInterval: 200 });
    const sink = await rig.open(listen, 'restart');
    const before = await statements(server.url);
    await before.query(`notify restart, 'before'`);
    await until(() => sink.data.includes('before'));
    await before.end().catch(() => undefined);

    await server.stopServer();
    await until(() => listen.logger.errors.length > 0);
    await expect(listen.notify('restart', 'x')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await server.startServer();
    await until(() => sink.resets === 1);
    const after = await statements(server.url);
    await after.query(`notify restart, 'after'`);
    await after.end();
    await until(() => sink.data.includes('after'));
    expect(sink.calls).toEqual(['live', 'before', 'reset:listener-gap', 'after']);
    expect(listen.logger.errors).toHaveLength(1);
    expect(listen.logger.logs).toHaveLength(1);
    await listen.notify('restart', 'ours');
    await until(() => sink.data.includes('ours'));
  });

  it('notices when it is open but silent, and a new connection replaces it', async () => {
    const proxy = await startProxy(rig.url);
    rig.cleanUp(() => proxy.close());
    const listen = rig.listening(proxy.url(rig.url), { healthInterval: 100, timeout: 2_000 });
    const sink = await rig.open(listen, 'frozen');
    await rig.writer.query(`notify frozen, 'before'`);
    await until(() => sink.data.includes('before'));

    proxy.freeze();
    await until(() => listen.logger.errors.length > 0);
    expect(listen.logger.errors[0]).toContain('no answer within 2000 ms');
    await rig.writer.query(`notify frozen, 'missed'`);
    // New connections hang as well until the proxy lets bytes through.
    await until(() => proxy.accepted >= 2);
    proxy.thaw();
    await until(() => sink.resets === 1);
    await rig.writer.query(`notify frozen, 'after'`);
    await until(() => sink.data.includes('after'));
    expect(sink.calls).toEqual(['live', 'before', 'reset:listener-gap', 'after']);
    await until(async () => (await listeningBackends(rig.writer)).length === 1);
  });

  it('survives 20 cuts in a row', async () => {
    const proxy = await startProxy(rig.url);
    rig.cleanUp(() => proxy.close());
    const listen = rig.listening(proxy.url(rig.url));
    const sink = await rig.open(listen, 'cut');
    for (let cut = 1; cut <= 20; cut++) {
      proxy.cut();
      await until(() => sink.resets === cut);
      await rig.writer.query('select pg_notify($1, $2)', ['cut', String(cut)]);
      await until(() => sink.events.length === cut);
    }
    expect(sink.calls).toEqual([
      'live',
      ...Array.from({ length: 20 }, (_, n) => ['reset:listener-gap', String(n + 1)]).flat(),
    ]);
  });

  it('notices that the server has forgotten its channels', async () => {
    const listen = rig.listening(rig.url, { healthInterval: 50 });
    const sink = await rig.open(listen, 'forgotten');
    // Nobody can send UNLISTEN into another's session. So the server is made to say what it would
    // after one, by a function that comes first in the search path of the next session.
    await rig.writer.query(`
      create schema shadow;
      create function shadow.pg_listening_channels() returns setof text language sql
        as $$ select 'another' $$;
      do $$ begin execute format('alter database %I set search_path = shadow, pg_catalog',
        current_database()); end $$`);
    const [pid] = await listeningBackends(rig.writer);
    await rig.writer.query('select pg_terminate_backend($1)', [pid]);
    await until(() => sink.resets >= 2);
    expect(listen.logger.errors.join()).toContain('no longer listens');
    await rig.writer.query(`
      do $$ begin execute format('alter database %I reset search_path', current_database()); end $$;
      drop schema shadow cascade`);
    await notifyUntilHeard(rig.writer, 'forgotten', sink);
  });

  it('goes live once a server that was away at the start is there', async () => {
    const port = await freePort();
    const url = (password: string) => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    let password = 'not known yet';
    const listen = rig.listening({
      host: '127.0.0.1',
      port,
      user: 'postgres',
      database: 'postgres',
      password: () => password,
    });
    await listen.source.start(false);
    const sink = new RecordingSink();
    listen.source.open('early', sink);
    await until(() => listen.logger.errors.length > 0);
    expect(sink.calls).toEqual([]);
    const server = await startPostgres({ port });
    rig.cleanUp(() => server.stop());
    password = server.password;
    await until(() => sink.isLive);
    const client = await statements(url(password));
    await client.query(`notify early, 'hello'`);
    await client.end();
    await until(() => sink.events.length === 1);
    expect(sink.calls).toEqual(['live', 'hello']);
    expect(listen.logger.errors).toHaveLength(1);
    expect(listen.logger.errors[0]).toContain('ECONNREFUSED');
    expect(listen.logger.logs).toHaveLength(1);
  });

  it('rejects all notifications sent during an outage, and sends those that come after it', async () => {
    const proxy = await startProxy(rig.url);
    rig.cleanUp(() => proxy.close());
    const listen = rig.listening({
      connectionString: proxy.url(rig.url),
      connectionTimeoutMillis: 1_000,
    });
    const sink = await rig.open(listen, 'queue');
    const accepted = proxy.accepted;
    proxy.freeze();
    const sent = Array.from({ length: 50 }, (_, n) => listen.notify('queue', String(n)));
    const failed = await Promise.allSettled(sent);
    for (const result of failed) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE' } });
    }
    // They did not wait for the time limit one after another.
    expect(proxy.accepted).toBe(accepted + 1);
    proxy.thaw();
    await listen.notify('queue', 'after');
    await until(() => sink.events.length > 0);
    expect(sink.calls).toEqual(['live', 'after']);
  });

  describe('with failFast', () => {
    it('lets start() resolve once the server accepts the connection', async () => {
      const listen = rig.listening(rig.url);
      await listen.source.start(true);
      expect(await listeningBackends(rig.writer)).toHaveLength(1);
      await listen.source.start(true);
    });

    it('makes start() reject while the server is away, and leaves nothing behind', async () => {
      const listen = rig.listening(`postgres://me:secret@127.0.0.1:${await freePort()}/app`);
      const error = await listen.source.start(true).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('ECONNREFUSED'),
      });
      expect(error?.message).not.toContain('secret');
      expect(() => listen.source.open('x', new RecordingSink())).toThrow(
        expect.objectContaining({ code: 'CLOSED' }),
      );
    });

    it('makes start() reject a wrong password and an unknown database', async () => {
      const wrong = new URL(rig.url);
      wrong.password = 'wrong';
      const unknown = new URL(rig.url);
      unknown.pathname = '/nowhere';
      for (const [url, message] of [
        [wrong, 'password authentication failed'],
        [unknown, 'database "nowhere" does not exist'],
      ] as const) {
        await expect(rig.listening(url.href).source.start(true)).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringContaining(message),
        });
      }
    });
  });

  it('logs a wrong password once, however often it tries', async () => {
    const proxy = await startProxy(rig.url);
    rig.cleanUp(() => proxy.close());
    const wrong = new URL(proxy.url(rig.url));
    wrong.password = 'wrong';
    const listen = rig.listening(wrong.href);
    listen.source.open('x', new RecordingSink());
    await until(() => proxy.accepted >= 3);
    expect(listen.logger.errors).toEqual([
      expect.stringContaining('password authentication failed'),
    ]);
    expect(listen.logger.errors[0]).not.toContain('wrong');
  });

  it('refuses to listen through a pooler, and accepts a direct connection instead', async () => {
    const pooler = await startPidChangingProxy(rig.url);
    rig.cleanUp(() => pooler.close());
    const refused = {
      code: 'UNAVAILABLE',
      message: expect.stringContaining('`listenConnection`'),
    };
    await expect(rig.listening(pooler.url).source.start(true)).rejects.toMatchObject(refused);

    const stubborn = rig.listening(pooler.url);
    const sink = new RecordingSink();
    stubborn.source.open('pooled', sink);
    const tried = pooler.accepted;
    await until(() => pooler.accepted >= tried + 3);
    expect(stubborn.logger.errors).toEqual([expect.stringContaining('PgBouncer')]);
    expect(sink.calls).toEqual([]);

    const direct = rig.listening(pooler.url, { listenConnection: rig.url });
    await direct.source.start(true);
    const heard = await rig.open(direct, 'pooled');
    await direct.notify('pooled', 'through the pooler');
    await until(() => heard.events.length === 1);
  });

  it('logs that nobody can listen to a standby, and goes live when the standby becomes the primary', async () => {
    const server = await startPostgres({ settings: { hot_standby: 'on' } });
    rig.cleanUp(() => server.stop());
    await server.stopServer();
    await writeFile(join(server.dataDir, 'standby.signal'), '');
    await server.startServer();
    const listen = rig.listening(server.url);
    const sink = new RecordingSink();
    listen.source.open('standby', sink);
    await until(() => sink.isLive || listen.logger.errors.length > 0);
    await expect(
      until(async () => {
        const again = listening(server.url);
        const error = await again.source.start(true).then(
          () => undefined,
          (reason: Error) => reason,
        );
        return error?.message.includes('standby') === true ? error : undefined;
      }),
    ).resolves.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('primary') });
    const client = await statements(server.url);
    await client.query('select pg_promote(false)');
    await until(() => sink.isLive);
    await client.query(`notify standby, 'hello'`).catch(() => undefined);
    await client.end();
    await until(() => sink.events.length === 1);
  });

  describe('on stop()', () => {
    /** Longer than a test may last: a stop that waits for the answer does not pass. */
    const NO_ANSWER = { timeout: 600_000 };

    it('ends at once while it is frozen, and during an attempt to connect', async () => {
      const proxy = await startProxy(rig.url);
      rig.cleanUp(() => proxy.close());
      const connected = rig.listening(proxy.url(rig.url), NO_ANSWER);
      await rig.open(connected, 'frozen stop');
      await connected.notify('frozen stop', '');
      proxy.freeze();
      const connecting = rig.listening(proxy.url(rig.url), NO_ANSWER);
      connecting.source.open('frozen stop', new RecordingSink());
      const sent = connecting.notify('frozen stop', '').catch((error: Error) => error);
      // A LISTEN that is not answered, too.
      connected.source.open('second', new RecordingSink());
      await until(() => proxy.accepted === 4);
      for (const listen of [connected, connecting]) {
        await listen.stop();
        await listen.stop();
      }
      expect(await sent).toMatchObject({ code: 'UNAVAILABLE' });
      proxy.cut();
    });

    it('ends the wait between two attempts, and the wait for a password', async () => {
      const away = rig.listening(`postgres://127.0.0.1:${await freePort()}/x`);
      away.source.open('x', new RecordingSink());
      await until(() => away.logger.errors.length > 0);
      const asked = new URL(rig.url);
      let waiting = false;
      const hanging = rig.listening({
        host: asked.hostname,
        port: Number(asked.port),
        user: asked.username,
        database: asked.pathname.slice(1),
        password: () => {
          waiting = true;
          return new Promise<string>(() => undefined);
        },
      });
      hanging.source.open('x', new RecordingSink());
      await until(() => waiting);
      for (const listen of [away, hanging]) {
        await listen.stop();
      }
    });

    it('leaves nothing open on the server', async () => {
      const listen = rig.listening(rig.url);
      await rig.open(listen, 'x');
      await listen.notify('x', '');
      await listen.stop();
      await until(async () => (await listeningBackends(rig.writer)).length === 0);
    });
  });
});
