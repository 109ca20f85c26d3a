import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { from, isObservable, lastValueFrom, toArray, type Observable } from 'rxjs';
import type { RunChunk } from '../../lib/channel/runs.js';
import { RunFormats } from '../../lib/runs/formats/formats.js';
import { Intake } from '../../lib/runs/source/intake.js';
import { openSource, type RunSource } from '../../lib/runs/source/run-source.js';
import type { RunFormatName } from '../../lib/setup/run-options.js';

const formats = new RunFormats({});
const MOST_BYTES = 1_000;
const utf8 = new TextEncoder();

/** The chunks of a source in a format. */
async function chunksOf(format: RunFormatName, source: RunSource): Promise<RunChunk[]> {
  const { values, hasFrames } = await openSource(source, new AbortController().signal);
  const intake = new Intake(formats.of(format), hasFrames, MOST_BYTES);
  const chunks: RunChunk[] = [];
  for (const value of await allOf(values)) {
    chunks.push(...intake.take(value));
  }
  return [...chunks, ...intake.rest()];
}

async function allOf(values: AsyncIterator<unknown> | Observable<unknown>): Promise<unknown[]> {
  if (isObservable(values)) {
    return lastValueFrom(values.pipe(toArray()));
  }
  const all: unknown[] = [];
  for (;;) {
    const { done, value } = await values.next();
    if (done) {
      return all;
    }
    all.push(value);
  }
}

const textsOf = async (format: RunFormatName, source: RunSource) =>
  (await chunksOf(format, source)).map(({ type, data }) => (type ? `${type}: ${data}` : data));

/** A text as bytes in pieces of `size`, which cut characters. */
function* pieces(text: string, size: number): Generator<Uint8Array> {
  const bytes = utf8.encode(text);
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size);
  }
}

const streamOf = (given: Iterable<unknown>) => ReadableStream.from(given) as ReadableStream;

const eventStream = (text: string, size: number) =>
  new Response(streamOf(pieces(text, size)), { headers: { 'content-type': 'text/event-stream' } });

// eslint-disable-next-line @typescript-eslint/require-await
async function* generated() {
  yield 'one';
  yield 'two';
}

describe('The source of a run', () => {
  it.each<[string, RunSource]>([
    ['an async iterable', generated()],
    ['a ReadableStream', streamOf(['one', 'two'])],
    ['an Observable', from(['one', 'two'])],
    ['a stream of Node', Readable.from(['one', 'two'])],
    ['a promise', Promise.resolve(generated())],
    ['a function', () => generated()],
    ['a function with a promise', () => Promise.resolve(from(['one', 'two']))],
  ])('may be %s', async (_, source) => {
    expect(await textsOf('default', source)).toEqual(['one', 'two']);
  });

  it('is given the signal when it is a function', async () => {
    const { signal } = new AbortController();
    let given: AbortSignal | undefined;
    await openSource((its) => {
      given = its;
      return generated();
    }, signal);
    expect(given).toBe(signal);
  });

  it.each([undefined, null, 'text', 7, {}, ['one'], () => 'text'])(
    'may not be anything else, such as %p',
    async (source) => {
      await expect(textsOf('default', source as unknown as RunSource)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/^The source of a run is .+\. Give an async iterable,/),
      });
    },
  );

  it('may be a Response, but not one of an error', async () => {
    expect(await textsOf('text', new Response('answer'))).toEqual(['answer']);
    expect(await textsOf('text', new Response(null, { status: 204 }))).toEqual([]);
    let isCancelled = false;
    const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
    await expect(textsOf('text', new Response(body, { status: 500 }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('the status 500'),
    });
    expect(isCancelled).toBe(true);
  });

  it('that is a ReadableStream ends while it waits for a value', async () => {
    let isCancelled = false;
    const endless = new ReadableStream({ cancel: () => void (isCancelled = true) });
    const { values } = await openSource(endless, new AbortController().signal);
    const next = (values as AsyncIterator<unknown>).next();
    await (values as AsyncIterator<unknown>).return!();
    expect((await next).done).toBe(true);
    expect(isCancelled).toBe(true);
  });
});

describe('Bytes of a source', () => {
  const text = 'größer 🙂 größer';

  it.each([1, 2, 3, 7])('are text, whose characters may be cut: %d at once', async (size) => {
    for (const format of ['default', 'text'] as const) {
      const texts = await textsOf(format, streamOf(pieces(text, size)));
      expect(texts.join('')).toBe(text);
      expect(texts).not.toContain('');
    }
  });

  it('may be buffers', async () => {
    const parts = [...pieces(text, 3)];
    const buffers = parts.map(({ buffer, byteOffset, byteLength }) =>
      buffer.slice(byteOffset, byteOffset + byteLength),
    );
    const views = parts.map(
      ({ buffer, byteOffset, byteLength }) => new DataView(buffer, byteOffset, byteLength),
    );
    for (const values of [buffers, views]) {
      expect((await textsOf('text', streamOf(values))).join('')).toBe(text);
    }
  });

  it('that end within a character show so', async () => {
    const cut = utf8.encode('ü').subarray(0, 1);
    expect(await textsOf('text', streamOf([cut]))).toEqual(['\uFFFD']);
  });

  it.each([1, 2, 1_000])("are lines of JSON in the format 'json': %d at once", async (size) => {
    const lines = '{"a":1}\n\n[ 2 ]\r\n12345678901234567890\n"ü"';
    expect(await textsOf('json', streamOf(pieces(lines, size)))).toEqual([
      '{"a":1}',
      '[ 2 ]',
      '12345678901234567890',
      '"ü"',
    ]);
  });

  it.each([1, 2, 1_000])('of an event stream are its events: %d at once', async (size) => {
    const frames =
      ': begin\n\nevent: token\ndata: "a"\n\ndata: "ü\ndata: b"\r\n\r\nid: 7\n\ndata: [DONE]\n\n';
    expect(await textsOf('default', eventStream(frames, size))).toEqual(['token: "a"', '"ü\nb"']);
    expect(await textsOf('text', eventStream(frames, size))).toEqual(['"a"', '"ü\nb"']);
    await expect(textsOf('json', eventStream(frames, size))).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringContaining('no JSON'),
    });
  });

  it('may not have lines or frames of any size', async () => {
    const long = 'x'.repeat(MOST_BYTES + 1);
    for (const source of [streamOf(pieces(long, 100)), eventStream(`data: ${long}`, 100)]) {
      await expect(textsOf('json', source)).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
    }
    const many = 'data: 1\n\n'.repeat(1_000);
    expect(await textsOf('json', eventStream(many, 500))).toHaveLength(1_000);
  });
});

describe("The format 'text'", () => {
  it('has no empty chunks, and takes nothing but text', async () => {
    expect(await textsOf('text', from(['', 'a', ' b\n']))).toEqual(['a', ' b\n']);
    await expect(textsOf('text', from([{ a: 1 }]))).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message:
        "The source of a run gave an object, and `format: 'text'` takes strings and bytes. Give text, or set `format: 'json'`.",
    });
  });
});

describe('Text of a source', () => {
  it('may be cut within a character', async () => {
    for (const format of ['default', 'text'] as const) {
      const texts = await textsOf(format, from(['a\uD83D', '\uDE42\uD83D', '\uDE42', 'b\uD83D']));
      expect(texts).toEqual(['a', '🙂', '🙂', 'b', '\uD83D']);
    }
    const mixed = from(['a\uD83D', { b: 1 }, '\uD83D', utf8.encode('c')]);
    expect(await textsOf('default', mixed)).toEqual(['a', '\uD83D', '{"b":1}', '\uD83D', 'c']);
  });

  it('is never taken for the end of the run in the formats of text and JSON', async () => {
    expect(await textsOf('text', from(['[DONE]', 'a']))).toEqual(['[', 'DONE]', 'a']);
    expect(await textsOf('text', streamOf([utf8.encode('[DONE]')]))).toEqual(['[', 'DONE]']);
    expect(await textsOf('json', from(['[DONE]']))).toEqual(['"[DONE]"']);
  });
});

describe("The format 'json'", () => {
  it('writes every value as JSON', async () => {
    const given = from([{ data: 1, type: 'x' }, 'text', 7, null, [true]]);
    expect(await textsOf('json', given)).toEqual([
      '{"data":1,"type":"x"}',
      '"text"',
      '7',
      'null',
      '[true]',
    ]);
    await expect(textsOf('json', from([undefined]))).rejects.toMatchObject({
      code: 'INVALID_EVENT',
    });
  });
});

describe("The format 'ai-sdk'", () => {
  const chunk = { type: 'text-delta', id: '1', delta: 'ü' };
  const json = JSON.stringify(chunk);
  const frames = `: open\n\ndata: ${json}\n\ndata: {"type":"finish"}\n\ndata: [DONE]\n\n`;

  it.each<[string, () => RunSource]>([
    ['objects', () => from([chunk, { type: 'finish' }])],
    ['a Response', () => eventStream(frames, 5)],
    ['bytes', () => streamOf(pieces(frames, 1))],
    ['text of frames', () => streamOf(frames.split(/(?<=\n\n)/))],
  ])('takes %s', async (_, source) => {
    expect(await textsOf('ai-sdk', source())).toEqual([json, '{"type":"finish"}']);
  });

  it.each([
    [
      'text',
      'Hello',
      "For `result.textStream` and `toTextStreamResponse()`, set `format: 'text'`.",
    ],
    ['bytes of text', utf8.encode('Hello\n\nworld\n\n'), 'the chunks as objects'],
    ['text that begins as a frame does', utf8.encode('dat'), 'the chunks as objects'],
    ['a part of fullStream', { type: 'text-delta', text: 'a' }, 'a part of `result.fullStream`'],
    ['an object without a type', { data: 1 }, 'an object without a `type`'],
    ['nothing', undefined, 'undefined'],
    ['bytes without JSON', utf8.encode('data: x\n\n'), 'no JSON'],
    ['bytes without a type', utf8.encode('data: {}\n\n'), 'without a `type`'],
  ])('refuses %s, and says what to give', async (_, value, message) => {
    await expect(textsOf('ai-sdk', from([value]))).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringContaining(message),
    });
  });

  it.each([1, 2, 5])(
    'takes frames behind a byte order mark, cut anywhere: %d at once',
    async (size) => {
      for (const given of [`\uFEFFdata: ${json}\n\n`, `retry: 5\n\nid: 1\ndata: ${json}\n\n`]) {
        expect(await textsOf('ai-sdk', streamOf(pieces(given, size)))).toEqual([json]);
      }
      expect(await textsOf('ai-sdk', streamOf([]))).toEqual([]);
    },
  );

  it.each([1, 3, 100])('refuses a text in bytes, however it is cut: %d at once', async (size) => {
    for (const given of ['Hello', 'idea: Hello\n\nworld\n\n', 'even']) {
      await expect(textsOf('ai-sdk', streamOf(pieces(given, size)))).rejects.toMatchObject({
        code: 'INVALID_EVENT',
      });
    }
  });

  it('ends as its clients expect', () => {
    const format = formats.of('ai-sdk');
    const done = { data: '[DONE]', end: true };
    expect(format.completed()).toEqual([done]);
    expect(format.stopped(undefined)).toEqual([{ data: '{"type":"abort"}' }, done]);
    expect(format.stopped('enough')).toEqual([
      { data: '{"type":"abort","reason":"enough"}' },
      done,
    ]);
    expect(format.failed({ reason: 'lost', message: 'Lost.' })).toEqual([
      { data: '{"type":"error","errorText":"Lost."}' },
      done,
    ]);
  });
});
