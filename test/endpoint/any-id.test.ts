import { Controller, Sse } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { labelOf } from '../../lib/channel/composite-id.js';
import { SseChannel, SseError } from '../../lib/index.js';
import { SseFrameParser, type SseFrame } from '../../lib/testing/index.js';
import { holds } from '../support/property.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller()
class AnyController {
  @Sse('one/:name')
  @SseChannel('{name}')
  one() {}

  @Sse('both/:name')
  @SseChannel(({ params }: { params: { name: string } }) => [`${params.name}`, `${params.name}.b`])
  both() {}
}

/** Characters that end something somewhere: a line, a header, a query, a composite id. */
const SPECIAL = [
  '\t',
  ' ',
  '\u00a0',
  '\u0085',
  '\u2028',
  '\ufeff',
  ',',
  ':',
  '~next',
  '%',
  '%2C',
  '+',
  '&',
  '=',
  '#',
  ';',
  '"',
  '\\',
  '\u0001',
  '\u007f',
  '\r',
  '\n',
  '\0',
  'é',
  '\u00ff',
  '\u0100',
  '😀',
  '\ud83d',
  'earliest',
  '-0',
  '1e3',
];

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.array(fc.constantFrom(...SPECIAL, 'a', '1'), { maxLength: 5 }).map((parts) => parts.join('')),
);

const TAKEN = ['a', '1', 'an id', 'a+b', 'é', '😀'];
const REFUSED = ['', '\0', 'a\nb', 'a\rb', 'earliest', 'a~next'];

/** A stream that was asked for with these bytes in its header, read until it holds the event. */
async function receive(
  app: TestApp,
  path: string,
  header: Buffer | undefined,
  last: string,
): Promise<{ status: string; frames: SseFrame[] }> {
  const client = await RawClient.open(app.url);
  const head = [
    Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n`),
    ...(header ? [Buffer.from('Last-Event-ID: '), header, Buffer.from('\r\n')] : []),
    Buffer.from('\r\n'),
  ];
  const frames: SseFrame[] = [];
  const parser = new SseFrameParser((frame) => frames.push(frame));
  let received = '';
  client.socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1');
    const body = received.indexOf('\r\n\r\n');
    if (body > 0) {
      // The sizes of chunks are no fields, and are passed over.
      parser.push(Buffer.from(received.slice(body + 4), 'latin1'));
      received = received.slice(0, body + 4);
    }
  });
  client.socket.write(Buffer.concat(head));
  try {
    try {
      await until(() => client.closed || frames.some(({ data }) => data === last), {
        every: 1,
      });
    } catch (cause) {
      throw new Error(
        `No "${last}" at ${path} with ${String(header)}, but ${JSON.stringify(frames)}`,
        { cause },
      );
    }
    return { status: received.slice(9, 12), frames };
  } finally {
    client.destroy();
  }
}

const eventsOf = (frames: readonly SseFrame[]) =>
  frames.filter(({ type, data }) => data !== undefined && type !== 'sse:open');

describe.each(ADAPTERS)('Whatever position a client returns with, on %s', (adapter) => {
  let app: TestApp;
  let channels = 0;
  beforeAll(async () => void (app = await startApp({ adapter, controllers: [AnyController] })));
  afterAll(() => app.close());

  it('it resumes by every id that send() accepts, in a header and in the query', async () => {
    let taken = 0;
    let refused = 0;
    await holds(
      fc.asyncProperty(text, async (id) => {
        const name = `id${channels++}`;
        try {
          await app.sse.send(name, 'with the id', { id });
        } catch (error) {
          expect((error as SseError).code).toBe('INVALID_EVENT');
          refused++;
          return;
        }
        taken++;
        await app.sse.send(name, 'after');
        const utf8 = Buffer.from(id);
        const latin1 = Buffer.from(id, 'latin1');
        const isLatin1 = latin1.toString('latin1') === id;
        const ways: [string, Buffer | undefined][] = [
          [`/one/${name}`, utf8],
          [`/one/${name}?lastEventId=${encodeURIComponent(id)}`, undefined],
          [`/both/${name}`, utf8],
          // Bytes that happen to be UTF-8 are read as such.
          ...(isLatin1 && latin1.toString().includes('\ufffd')
            ? [[`/one/${name}`, latin1] as [string, Buffer]]
            : []),
        ];
        for (const [path, header] of ways) {
          const { status, frames } = await receive(app, path, header, 'after');
          expect([path, status]).toEqual([path, '200']);
          const events = eventsOf(frames);
          const resets = events.filter(({ type }) => type === 'sse:reset');
          // The other channel of a set knows nothing of the id, and says so.
          expect(resets).toHaveLength(path.startsWith('/both') ? 1 : 0);
          expect(events.filter(({ type }) => type === undefined).map(({ data }) => data)).toEqual([
            'after',
          ]);
        }
      }),
      { quick: 60, soak: 5_000 },
      [...TAKEN, ...REFUSED].map((id) => [id]),
    );
    expect(taken).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(5);
  });

  it('it gets a reset on each channel for an unknown position, and then live events', async () => {
    await app.sse.send('known', 'before');
    await app.sse.send('known.b', 'before');
    const labels = ['known', 'known.b', 'elsewhere'].map(labelOf);
    const anything = fc.oneof(
      text,
      fc
        .array(fc.tuple(fc.constantFrom(...labels, 'x'.repeat(8), 'short'), text), { maxLength: 4 })
        .map((parts) => parts.map(([label, position]) => `${label}:${position}`).join(',')),
      fc.nat(1_000).map((more) => 'x'.repeat(8_000 + more)),
    );
    await holds(
      fc.asyncProperty(anything, fc.constantFrom('header', 'latin1', 'query'), async (id, way) => {
        // By HTTP, blanks at either end are none, and without any other character there is no id.
        const sent = way === 'query' ? id : id.replace(/^[ \t]+|[ \t]+$/g, '');
        fc.pre(sent !== '');
        // It asks for the oldest events of a channel, or of all.
        fc.pre(!sent.split(',').some((part) => /^([\w-]{8}:)?earliest$/.test(part)));
        fc.pre(way !== 'latin1' || Buffer.from(sent, 'latin1').toString('latin1') === sent);
        // Node itself refuses these, and no event can have them.
        // oxlint-disable-next-line no-control-regex
        fc.pre(way === 'query' || !/[\x00-\x08\x0a-\x1f\x7f]/.test(sent));
        for (const path of ['/one/known', '/both/known']) {
          await until(() => app.sse.stats().readers === 0, { every: 1 });
          const receiving = receive(
            app,
            way === 'query'
              ? `${path}?lastEventId=${encodeURIComponent(sent.toWellFormed())}`
              : path,
            way === 'query' ? undefined : Buffer.from(sent, way === 'latin1' ? 'latin1' : 'utf8'),
            'now',
          );
          await until(() => app.sse.stats().readers >= (path === '/one/known' ? 1 : 2), {
            every: 1,
            what: `a reader for ${JSON.stringify(sent)} by ${way}`,
          });
          await app.sse.send('known', 'now');
          const { status, frames } = await receiving;
          expect(status).toBe('200');
          const events = eventsOf(frames);
          const told = events.flatMap(({ type, data }) =>
            type === 'sse:reset' ? [(JSON.parse(data!) as { channel: string }).channel] : [],
          );
          // A channel whose label is not named is new to the client, and starts live.
          const named = labels.slice(0, 2).map((label) => sent.includes(`${label}:`));
          const owed = path === '/one/known' ? ['known'] : ['known', 'known.b'];
          if (!named.some(Boolean)) {
            expect(told.toSorted()).toEqual(owed);
          }
          expect(told.length).toBeGreaterThan(0);
          expect(events.at(-1)!.data).toBe('now');
        }
      }),
      { quick: 60, soak: 5_000 },
    );
  });

  it.each(['lastEventId=a&lastEventId=b', 'lastEventId[]=a', 'lastEventId[x]=a'])(
    'it gets a reset, or begins live, with several ids in the query: ?%s',
    async (query) => {
      await app.sse.send('listed', 'before');
      await until(() => app.sse.stats().readers === 0);
      const receiving = receive(app, `/one/listed?${query}`, undefined, 'now');
      await until(() => app.sse.stats().readers === 1);
      await app.sse.send('listed', 'now');
      const { status, frames } = await receiving;
      expect(status).toBe('200');
      const isNamed = query.startsWith('lastEventId=');
      expect(eventsOf(frames).map(({ type, data }) => type ?? data)).toEqual(
        isNamed ? ['sse:reset', 'now'] : ['now'],
      );
    },
  );
});
