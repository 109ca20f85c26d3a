import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EventStreamParser, type Frame } from '../../lib/client/event-stream-parser.js';
import { holds } from '../support/property.js';

interface Parsed {
  readonly frames: Frame[];
  readonly retry: number | undefined;
}

/** What the parser makes of bytes that come in parts of these sizes; the last part is the rest. */
function parse(bytes: Uint8Array, sizes: readonly number[] = []): Parsed {
  const frames: Frame[] = [];
  const parser = new EventStreamParser((frame) => frames.push(frame));
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    parser.push(bytes.subarray(at, at + size));
    at += size;
  }
  return { frames, retry: parser.retry };
}

/** The standard's algorithm, word for word, on the whole text. */
function reference(bytes: Uint8Array): Parsed {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).replace(/^\uFEFF/, '');
  const lines = text.split(/\r\n|\n|\r/);
  // What is behind the last end of a line is no line yet.
  lines.pop();
  const frames: Frame[] = [];
  let retry: number | undefined;
  let type = '';
  let id: string | undefined;
  let data: string[] = [];
  for (const line of lines) {
    if (line === '') {
      frames.push({ type, data: data.length > 0 ? data.join('\n') : undefined, id });
      type = '';
      id = undefined;
      data = [];
      continue;
    }
    const [, field = line, value = ''] = /^([^:]*): ?(.*)$/su.exec(line) ?? [];
    if (field === 'event') type = value;
    if (field === 'data') data.push(value);
    if (field === 'id' && !value.includes('\0')) id = value;
    if (field === 'retry' && /^[0-9]+$/.test(value)) retry = Number(value);
  }
  return { frames, retry };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const dataOf = (text: string) => parse(bytesOf(text)).frames.map(({ data }) => data);

describe('EventStreamParser', () => {
  it.each(['\n', '\r', '\r\n'])('ends lines at %j', (end) => {
    const text = `event: a${end}data: 1${end}data: 2${end}id: x${end}${end}`;
    expect(parse(bytesOf(text)).frames).toEqual([{ type: 'a', data: '1\n2', id: 'x' }]);
  });

  it('takes one space behind the colon away, and a byte order mark at the beginning', () => {
    expect(dataOf('\uFEFFdata:  two\n\ndata:none\n\ndata\n\n\uFEFFdata: no field\n\n')).toEqual([
      ' two',
      'none',
      '',
      undefined,
    ]);
  });

  it('leaves an id with NUL, a retry that is no number, comments and unknown fields out', () => {
    const text = ': a comment\nid: a\0b\nretry: 1e3\nretry: 20\nretry: -5\nfoo: bar\ndata: x\n\n';
    expect(parse(bytesOf(text))).toEqual({
      frames: [{ type: '', data: 'x', id: undefined }],
      retry: 20,
    });
  });

  it('forgets the frame that is not complete', () => {
    expect(dataOf('data: one\n\ndata: two\nid: 2\n')).toEqual(['one']);
  });

  it('hands a frame over when the CR of its empty line has come', () => {
    const frames: Frame[] = [];
    const parser = new EventStreamParser((frame) => frames.push(frame));
    parser.push(bytesOf('data: one\r\n\r'));
    expect(frames).toHaveLength(1);
    parser.push(bytesOf('\ndata: two\r\n\r\n'));
    expect(frames.map(({ data }) => data)).toEqual(['one', 'two']);
  });

  it('does as the standard says with any bytes, wherever they are cut', async () => {
    const piece = fc.oneof(
      fc.constantFrom('\n', '\r', '\r\n', '\n\n', ':', ': ', ' ', 'data', 'event', 'id', 'retry'),
      fc.constantFrom('\0', '\uFEFF', 'é', '☃', '😀', '12', '\u2028', '\u0085', '__proto__'),
      fc.string({ maxLength: 4 }),
    );
    const text = fc.array(piece, { maxLength: 60 }).map((pieces) => bytesOf(pieces.join('')));
    const hostile = fc.oneof(text, fc.uint8Array({ maxLength: 60 }));
    const sizes = fc.array(fc.nat({ max: 9 }), { maxLength: 60 });
    await holds(
      fc.property(hostile, sizes, (bytes, cuts) => {
        expect(parse(bytes, cuts)).toEqual(reference(bytes));
      }),
      { quick: 2_000, soak: 100_000 },
    );
  });

  it('puts a long line together once, however many parts it comes in', () => {
    const size = 1_048_576;
    const bytes = bytesOf(`data: ${'x'.repeat(size)}\n\n`);
    const parts = Array.from({ length: Math.ceil(bytes.length / 64) }, () => 64);
    expect(parse(bytes, parts).frames[0]!.data).toHaveLength(size);
  });
});
