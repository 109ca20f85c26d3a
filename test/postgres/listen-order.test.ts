import { beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import {
  listeningBackends,
  RecordingSink,
  statements,
  type Listening,
} from './listen-recording.js';
import { listenRig } from './listen-rig.js';

describe('LISTEN with many writers and many channels', () => {
  const rig = listenRig();
  let listen: Listening;

  beforeEach(() => {
    listen = rig.listening(rig.url);
  });

  const open = (channel: string): Promise<RecordingSink> => rig.open(listen, channel);

  it("delivers 10,000 events of four writers once, in each writer's order, and the same to every reader", async () => {
    const sinks = [await open('many'), await open('many')];
    const writers = await Promise.all([1, 2, 3, 4].map(() => statements(rig.url)));
    await Promise.all(
      writers.map(async (client, number) => {
        for (let from = 0; from < 2_500; from += 50) {
          await client.query(
            `select pg_notify('many', $1 || ':' || n) from generate_series($2::int, $3::int) n`,
            [String(number), from, from + 49],
          );
        }
        await client.end();
      }),
    );
    await until(() => sinks.every((sink) => sink.events.length >= 10_000));
    const [first, second] = sinks as [RecordingSink, RecordingSink];
    expect(first.data).toEqual(second.data);
    expect(first.events).toHaveLength(10_000);
    expect(first.resets).toBe(0);
    for (const number of writers.keys()) {
      const own = first.data.filter((data) => data.startsWith(`${number}:`));
      expect(own).toEqual(Array.from({ length: 2_500 }, (_, n) => `${number}:${n}`));
    }
  });

  it('delivers in the order of the commits, not of the statements', async () => {
    const sink = await open('commits');
    const late = await statements(rig.url);
    await late.query(`begin`);
    await late.query(`notify commits, 'committed second'`);
    await rig.writer.query(`notify commits, 'committed first'`);
    await rig.writer.query(`begin; notify commits, 'rolled back'; rollback`);
    await late.query('commit');
    await late.end();
    await until(() => sink.events.length === 2);
    expect(sink.data).toEqual(['committed first', 'committed second']);
  });

  it('delivers equal payloads of one transaction once, because Postgres folds them', async () => {
    const sink = await open('equal');
    await rig.writer.query(
      `begin; notify equal, 'a'; notify equal, 'b'; notify equal, 'a'; commit`,
    );
    await rig.writer.query(`notify equal, 'a'`);
    await until(() => sink.events.length === 3);
    expect(sink.data).toEqual(['a', 'b', 'a']);
  });

  it('uses one connection, and one LISTEN for each of 1,000 channels with two readers', async () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `channel ${n}`);
    const sinks = names.flatMap((name) =>
      [1, 2].map(() => {
        const sink = new RecordingSink();
        const feed = listen.source.open(name, sink);
        return { name, sink, feed };
      }),
    );
    await until(() => sinks.every(({ sink }) => sink.isLive));
    expect(await listeningBackends(rig.writer)).toHaveLength(1);
    await rig.writer.query(
      `select pg_notify('channel ' || n, n::text) from generate_series(0, 999) n`,
    );
    await until(() => sinks.every(({ sink }) => sink.events.length > 0));
    expect(sinks.every(({ name, sink }) => `channel ${sink.data.join()}` === name)).toBe(true);
    for (const { feed } of sinks) {
      feed.close();
    }
    // What is sent to a channel that nobody reads is not even received.
    const last = await open('last');
    await rig.writer.query(`notify "channel 7", 'unheard'; notify last, 'heard'`);
    await until(() => last.events.length === 1);
    expect(sinks.flatMap(({ sink }) => sink.data)).not.toContain('unheard');
  });

  it('hears a channel that closes and opens again at once, 300 times', async () => {
    let missed = 0;
    let feed = listen.source.open('again', new RecordingSink());
    for (let round = 0; round < 300; round++) {
      feed.close();
      // Every third time UNLISTEN is under way, else the change is not even sent.
      if (round % 3 === 0) await Promise.resolve();
      if (round % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
      const sink = new RecordingSink();
      feed = listen.source.open('again', sink);
      await until(() => sink.isLive, { every: 0 });
      await rig.writer.query('select pg_notify($1, $2)', ['again', String(round)]);
      await until(() => sink.events.length > 0, { every: 0 }).catch(() => missed++);
      expect(sink.calls).toEqual(['live', String(round)]);
    }
    expect(missed).toBe(0);
  });

  it('appends nothing to a closed feed, not even a notification that was under way', async () => {
    const sink = new RecordingSink();
    const feed = listen.source.open('closed', sink);
    const other = await open('closed');
    await until(() => sink.isLive);
    const sent = rig.writer.query(`notify closed, 'x'`);
    feed.close();
    feed.close();
    await sent;
    await until(() => other.events.length === 1);
    expect(sink.calls).toEqual(['live']);
  });

  it('opens no channel after stop()', async () => {
    await listen.stop();
    expect(() => listen.source.open('late', new RecordingSink())).toThrow(
      expect.objectContaining({ code: 'CLOSED' }),
    );
    await expect(listen.notify('late', '')).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
