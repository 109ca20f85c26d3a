import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { BLOCK_SIZE, blockOf, chunkOf, sharedBlockOf } from '../../lib/delivery/block.js';
import { BlockCache, type LogBlock } from '../../lib/delivery/log-blocks.js';

const LIMITS = { events: Infinity, bytes: Infinity, age: Infinity, eventSize: Infinity };

function rig() {
  const channel = new Channel('c', LIMITS, () => undefined);
  channel.live('p0');
  let count = 0;
  const append = (data: string, end = false): string =>
    channel.append({ data, end, position: `p${++count}` });
  return { channel, append, cache: new BlockCache() };
}

const linesOf = ({ frames }: LogBlock, start: string): string[] =>
  `${frames}`.split('\n').filter((line) => line.startsWith(start));

describe('The blocks of a log', () => {
  it('have what is after an event, up to the head or the end of a run', () => {
    const { channel, append, cache } = rig();
    const blocks = cache.of(channel, false);
    append('1');
    append('2');
    append('3', true);
    append('4');
    const block = blocks.after(1);
    expect(block).toMatchObject({ to: 3, position: 'p3', end: true, isFull: true, events: 2 });
    expect(linesOf(block, 'data')).toEqual(['data: 2', 'data: 3']);
    expect(block.isShared).toBe(true);
    const last = blocks.after(3);
    expect(last).toMatchObject({ to: 4, position: 'p4', end: false, isFull: false, events: 1 });
    expect(linesOf(last, 'id')).toEqual(['id: p4']);
  });

  it('end with the event that fills them', () => {
    const { channel, append, cache } = rig();
    const blocks = cache.of(channel, false);
    // The frame of each event takes a quarter of a block, to the byte.
    const rest = 'data: \nid: p1\n\n'.length;
    for (let i = 0; i < 6; i++) {
      append('x'.repeat(BLOCK_SIZE / 4 - rest));
    }
    const block = blocks.after(0);
    expect(block.frames.length).toBe(BLOCK_SIZE);
    expect(block).toMatchObject({ to: 4, isFull: true, end: false, events: 4 });
    expect(blocks.after(4)).toMatchObject({ to: 6, isFull: false });
    // A full one stays as it is when more has come.
    append('more');
    expect(blocks.after(0)).toBe(block);
    expect(blocks.after(4)).toMatchObject({ to: 7 });
  });

  it('are built once for all who read there, until more has come or all are forgotten', () => {
    const { channel, append, cache } = rig();
    const blocks = cache.of(channel, false);
    append('1');
    const first = blocks.after(0);
    expect(cache.of(channel, false).after(0)).toBe(first);
    append('2');
    const second = blocks.after(0);
    expect(linesOf(second, 'data')).toEqual(['data: 1', 'data: 2']);
    expect(blocks.after(0)).toBe(second);
    cache.clear();
    expect(blocks.after(0)).not.toBe(second);
    expect(blocks.after(0)).toEqual(second);
  });

  it('have ids with labels, or without', () => {
    const { channel, append, cache } = rig();
    append('1');
    append('2');
    for (const _ of [1, 2]) {
      expect(linesOf(cache.of(channel, false).after(0), 'id')).toEqual(['id: p1', 'id: p2']);
      const labelled = [1, 2].map((number) => `id: ${channel.label}:p${number}`);
      expect(linesOf(cache.of(channel, true).after(0), 'id')).toEqual(labelled);
    }
  });

  it('are kept up to 256 full ones', () => {
    const { channel, append, cache } = rig();
    const blocks = cache.of(channel, false);
    const kept = 240;
    for (let i = 0; i <= kept * 2; i++) {
      append('x'.repeat(BLOCK_SIZE));
    }
    const first = blocks.after(0);
    for (let seq = 1; seq < kept; seq++) {
      blocks.after(seq);
    }
    expect(blocks.after(0)).toBe(first);
    for (let seq = kept; seq < kept * 2; seq++) {
      blocks.after(seq);
    }
    expect(blocks.after(0)).not.toBe(first);
  });
});

describe('A block', () => {
  it.each(['data: ö😀\n\n', 'x'.repeat(15), 'x'.repeat(16), 'x'.repeat(70_000), ''])(
    'is one chunk of HTTP/1.1 (%#)',
    (text) => {
      const size = Buffer.byteLength(text).toString(16);
      for (const { chunk, frames } of [blockOf(text, 1), chunkOf(Buffer.from(text))]) {
        expect(`${chunk}`).toBe(`${size}\r\n${text}\r\n`);
        expect(`${frames}`).toBe(text);
      }
    },
  );

  it('is shared by those who write the same frames one after the other', () => {
    const block = sharedBlockOf('1', 1);
    expect(sharedBlockOf('1', 1)).toBe(block);
    expect(block).toMatchObject({ events: 1, isShared: true, deflated: undefined });
    expect(`${sharedBlockOf('2', 1).frames}${sharedBlockOf('1', 1).frames}`).toBe('21');
    expect(blockOf('1', 1).isShared).toBe(false);
  });
});
