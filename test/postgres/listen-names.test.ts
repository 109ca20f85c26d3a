import { beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { RecordingSink, type Listening } from './listen-recording.js';
import { listenRig } from './listen-rig.js';

describe('A Postgres channel', () => {
  const rig = listenRig();
  let listen: Listening;

  beforeEach(() => {
    listen = rig.listening(rig.url);
  });

  async function received(channel: string, payload: string): Promise<RecordingSink> {
    const sink = new RecordingSink();
    const feed = listen.source.open(channel, sink);
    await until(() => sink.isLive);
    await rig.writer.query('select pg_notify($1, $2)', [channel, payload]);
    await until(() => sink.events.length > 0);
    feed.close();
    return sink;
  }

  it.each([
    ['upper case', 'User_Updates'],
    ['quotes', `o'clock "now" \\ ; drop table users; --`],
    ['spaces and a dot', 'a b.c '],
    ['emoji', '📦🎉'],
    ['a reserved word', 'select'],
    ['63 bytes', 'x'.repeat(63)],
    ['63 bytes of several each', `${'é'.repeat(31)}x`],
    ['a line break', 'a\r\nb'],
  ])('receives under a name with %s', async (_, channel) => {
    const sink = await received(channel, 'hello');
    expect(sink.calls).toEqual(['live', 'hello']);
  });

  it('counts as another channel when its name differs in case alone', async () => {
    const [upper, lower] = [new RecordingSink(), new RecordingSink()];
    listen.source.open('Case', upper);
    listen.source.open('case', lower);
    await until(() => upper.isLive && lower.isLive);
    await rig.writer.query(`notify "Case", 'upper'; notify "case", 'lower'`);
    await until(() => upper.events.length > 0 && lower.events.length > 0);
    expect([upper.data, lower.data]).toEqual([['upper'], ['lower']]);
  });

  it.each([
    ['empty', '', 'is empty'],
    ['64 bytes', 'x'.repeat(64), 'has 64 bytes'],
    ['32 characters in 64 bytes', 'é'.repeat(32), 'has 64 bytes'],
    ['10,000 bytes', 'x'.repeat(10_000), 'has 10000 bytes'],
    ['with NUL', 'a\0b', 'cannot store'],
    ['half an emoji', '\ud83d', 'cannot store'],
  ])('refuses a name that is %s, for reading and for notifying', async (_, channel, message) => {
    const error = { code: 'INVALID_CHANNEL', message: expect.stringContaining(message) };
    expect(() => listen.source.open(channel, new RecordingSink())).toThrow(
      expect.objectContaining(error),
    );
    await expect(listen.notify(channel, '')).rejects.toMatchObject(error);
  });

  it.each([
    ['an empty payload', ''],
    ['line breaks', 'a\r\nb\nc\rd\u2028e'],
    ['emoji', '🎉'],
    ['7,999 bytes', 'x'.repeat(7_999)],
    ['JSON that is not an envelope', '{"sse":1,"data":2}'],
    ['an envelope without data', '{"sse":"insert","data":}'],
  ])('delivers %s unchanged', async (_, payload) => {
    const sink = await received('payloads', payload);
    expect(sink.events).toEqual([{ data: payload }]);
  });

  it('takes the type of an event from an envelope, and leaves the digits of its data alone', async () => {
    const sink = await received(
      'payloads',
      '{"sse":"insert","data":{"id": 12345678901234567890.10}}',
    );
    expect(sink.events).toEqual([{ type: 'insert', data: '{"id": 12345678901234567890.10}' }]);
  });

  it('delivers notifications in the order of the calls', async () => {
    const sink = new RecordingSink();
    listen.source.open('orders', sink);
    await until(() => sink.isLive);
    const sent = Array.from({ length: 500 }, (_, index) => String(index));
    await Promise.all(sent.map((payload) => listen.notify('orders', payload)));
    await until(() => sink.events.length >= sent.length);
    expect(sink.data).toEqual(sent);
  });

  it.each([
    ['8,000 bytes', 'x'.repeat(8_000), 'EVENT_TOO_LARGE', '8000 bytes'],
    ['4,000 characters of two bytes', 'é'.repeat(4_000), 'EVENT_TOO_LARGE', '8000 bytes'],
    ['NUL', 'a\0b', 'INVALID_EVENT', 'NUL'],
  ])('does not notify with %s', async (_, payload, code, message) => {
    await expect(listen.notify('large', payload)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  describe('in a database with another encoding than UTF8', () => {
    let url: URL;

    beforeEach(async () => {
      url = new URL(rig.url);
      url.pathname += '_latin1';
      const name = url.pathname.slice(1);
      await rig.writer.query(
        `create database ${name} template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`,
      );
      rig.cleanUp(() => rig.writer.query(`drop database ${name} with (force)`));
    });

    it('fails alone when its name cannot be stored there', async () => {
      const latin = rig.listening(url.href);
      const names = ['a', '📦', 'é', '日本', 'z'];
      const sinks = names.map((name) => {
        const sink = new RecordingSink();
        latin.source.open(name, sink);
        return sink;
      });
      await until(() => [0, 2, 4].every((index) => sinks[index]!.isLive));
      for (const index of [0, 2, 4]) await latin.notify(names[index]!, 'heard é');
      await until(() => [0, 2, 4].every((index) => sinks[index]!.data.includes('heard é')));
      expect(sinks.map(({ calls }) => calls.length)).toEqual([2, 0, 2, 0, 2]);
      expect(latin.logger.errors).toEqual([
        expect.stringMatching(/^LISTEN to Postgres channel "📦" failed: .*no equivalent/),
        expect.stringMatching(/^LISTEN to Postgres channel "日本" failed: .*no equivalent/),
      ]);
    });

    it('refuses to notify what cannot be stored there', async () => {
      const latin = rig.listening(url.href);
      await expect(latin.notify('news', '📦')).rejects.toMatchObject({
        code: 'INVALID_EVENT',
        message: expect.stringContaining('UTF8'),
      });
      await latin.notify('news', 'é');
    });
  });
});
