import { describe, expect, it } from '@jest/globals';
import { SseFrameParser, type SseFrame } from '../../lib/testing/index.js';

function parse(...chunks: (string | Uint8Array)[]): SseFrame[] {
  const frames: SseFrame[] = [];
  const parser = new SseFrameParser((frame) => frames.push(frame));
  for (const chunk of chunks) parser.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return frames;
}

const STREAM =
  '\uFEFF: hello\r\nid: 1\r\ndata: zwölf 🚀 \u2028 x\r\n\r\n' +
  'event:tick\rdata:a\rdata:  b\rretry: 15\r\r' +
  'data\ndata\nid\nretry: 1s\nunknown: x\n\n' +
  ':only a comment\n\n' +
  'id: a\0b\ndata: nul\n\n' +
  'data: incomplete\n';

const FRAMES = [
  { comments: ['hello'], id: '1', data: 'zwölf 🚀 \u2028 x' },
  { comments: [], type: 'tick', data: 'a\n b', retry: 15 },
  { comments: [], id: '', data: '\n' },
  { comments: ['only a comment'] },
  { comments: [], data: 'nul' },
];

const withoutRaw = (frames: SseFrame[]) => frames.map(({ raw: _raw, ...fields }) => fields);

describe('SseFrameParser', () => {
  it('reads fields, comments and all three line ends as the standard says', () => {
    expect(withoutRaw(parse(STREAM))).toEqual(FRAMES);
  });

  it('gives the same frames wherever the bytes are cut in two', () => {
    const bytes = Buffer.from(STREAM);
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(withoutRaw(parse(bytes.subarray(0, cut), bytes.subarray(cut)))).toEqual(FRAMES);
    }
  });

  it('gives the same frames when every byte comes alone', () => {
    expect(withoutRaw(parse(...Array.from(Buffer.from(STREAM), (b) => Buffer.of(b))))).toEqual(
      FRAMES,
    );
  });

  it('does not wait for the next chunk after a CR', () => {
    expect(parse('data: 1\r\r')).toHaveLength(1);
    expect(withoutRaw(parse('data: 1\r', '\n\r', '\ndata: 2\n\n'))).toEqual([
      { comments: [], data: '1' },
      { comments: [], data: '2' },
    ]);
  });

  it('keeps the raw text of each frame', () => {
    expect(parse('id: 1\ndata: a\n\n: c\n\n').map((frame) => frame.raw)).toEqual([
      'id: 1\ndata: a\n\n',
      ': c\n\n',
    ]);
  });

  it('takes a second byte order mark as text', () => {
    expect(parse('\uFEFFdata: a\n\n\uFEFFdata: b\n\n')[1]).not.toHaveProperty('data');
  });
});
