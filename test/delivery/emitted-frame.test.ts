import { describe, expect, it } from '@jest/globals';
import { LogEntry } from '../../lib/channel/log-entry.js';
import type { SourceEvent } from '../../lib/channel/source.js';
import { emittedFrame } from '../../lib/delivery/emitted-frame.js';
import { entryOf, eventOf, parsedFrom } from '../../lib/delivery/event-of.js';

const limits = { eventSize: 100, idLength: 10 };

const entryOfChannel = (event: Partial<SourceEvent> = {}, position = '7') =>
  new LogEntry(1, position, { data: 'text', ...event }, 0);

describe('The event of an entry', () => {
  it('has the fields that the entry has, and no others', () => {
    expect(eventOf('c', entryOfChannel())).toEqual({ channel: 'c', id: '7', data: 'text' });
    expect(Object.keys(eventOf('c', entryOfChannel()))).toEqual(['channel', 'id', 'data']);
    expect(eventOf('c', entryOfChannel({ type: 't', retry: 5, id: 'own', data: '[1]' }))).toEqual({
      channel: 'c',
      id: 'own',
      type: 't',
      retry: 5,
      data: [1],
    });
  });

  it('is one for all who have the same id', () => {
    const entry = entryOfChannel();
    const event = eventOf('c', entry);
    expect(eventOf('c', entry)).toBe(event);
    const labelled = eventOf('c', entry, 'x:7');
    expect(labelled).toEqual({ ...event, id: 'x:7' });
    expect(eventOf('c', entry, 'x:7')).toBe(labelled);
    expect(eventOf('c', entry, 'x:7,y:1').id).toBe('x:7,y:1');
    expect(labelled.id).toBe('x:7');
    expect([event, labelled, { ...event }].map(entryOf)).toEqual([entry, entry, undefined]);
  });

  it('knows the text that its data was parsed from', () => {
    const { data } = eventOf('c', entryOfChannel({ data: '{ "a": 1.0 }' }));
    expect(parsedFrom(data as object)).toBe('{ "a": 1.0 }');
    expect(parsedFrom({ a: 1 })).toBeUndefined();
    expect(eventOf('c', entryOfChannel({ data: 'no JSON' })).data).toBe('no JSON');
  });
});

describe('What a handler emits', () => {
  const passed = eventOf('c', entryOfChannel({ id: 'an id of more than ten', type: 'sse:own' }));
  class Own {}

  it.each<[unknown, string]>([
    [undefined, ''],
    [null, 'data: null\n\n'],
    ['two\nlines', 'data: two\ndata: lines\n\n'],
    [7, 'data: 7\n\n'],
    [false, 'data: false\n\n'],
    [{}, ''],
    [{ data: { a: 1 } }, 'data: {"a":1}\n\n'],
    [{ data: 0 }, 'data: 0\n\n'],
    [{ data: '' }, 'data: \n\n'],
    [{ data: 'x', id: 5, type: 6 }, 'event: 6\ndata: x\nid: 5\n\n'],
    [{ data: 'x', id: null, type: null, retry: null }, 'data: x\n\n'],
    [{ data: null, type: 't' }, 'event: t\n\n'],
    [{ type: 't' }, 'event: t\n\n'],
    [{ id: '5' }, 'id: 5\n\n'],
    [{ retry: 0 }, 'retry: 0\n\n'],
    [{ comment: 'a\nb\r\nc\rd' }, ': a\n: b\n: c\n: d\n'],
    [{ comment: 'c', data: 'x' }, ': c\ndata: x\n\n'],
    [{ comment: 'c', type: 't' }, ': c\nevent: t\n\n'],
    [{ comment: 'c', id: '5' }, ': c\nid: 5\n\n'],
    [{ comment: null, data: 'x' }, 'data: x\n\n'],
    [{ id: '5', channel: 'c' }, 'id: 5\n\n'],
    [{ id: '5', other: 1, data: null }, 'id: 5\n\n'],
    [{ id: '5', other: 1, comment: 'c' }, ': c\nid: 5\n\n'],
    [{ data: 'x', type: 'sse:reset' }, 'event: sse:reset\ndata: x\n\n'],
  ])('%j becomes its frame', (emitted, frame) => {
    expect(emittedFrame(emitted, undefined, { limits })).toBe(frame);
  });

  it.each<[unknown, string]>([
    ['x', 'data: x\nid: an id of more than ten\n\n'],
    [{ data: 'x' }, 'data: x\nid: an id of more than ten\n\n'],
    [{ data: 'x', id: '5' }, 'data: x\nid: 5\n\n'],
    [{ retry: 5 }, 'retry: 5\nid: an id of more than ten\n\n'],
    [
      { type: 'sse:own', id: 'an id of more than ten' },
      'event: sse:own\nid: an id of more than ten\n\n',
    ],
    // What clients ignore moves no position.
    [{ comment: 'c' }, ': c\n'],
    [{ comment: 'c', retry: 5 }, ': c\nretry: 5\n\n'],
    [undefined, ''],
    [passed, 'event: sse:own\ndata: text\nid: an id of more than ten\n\n'],
    [{ ...passed, data: 1 }, 'event: sse:own\ndata: 1\nid: an id of more than ten\n\n'],
  ])('%j takes over the id of the event that is received', (emitted, frame) => {
    expect(emittedFrame(emitted, passed, { limits })).toBe(frame);
  });

  it.each([
    { other: 1 },
    { id: 5, name: 'row' },
    { type: 't', x: 1 },
    new Own(),
    [],
    Object.create({ data: undefined }),
  ])('%j is no message, whatever is received', (emitted) => {
    expect(emittedFrame(emitted, undefined, { limits })).toBeUndefined();
    expect(emittedFrame(emitted, passed, { limits })).toBeUndefined();
  });

  it.each<[unknown, RegExp]>([
    [{ data: 'x'.repeat(101) }, /101 bytes/],
    ['x'.repeat(101), /101 bytes/],
    [{ id: 'x'.repeat(11) }, /11 characters/],
    [{ data: 'x', id: 'an id of more than ten!' }, /23 characters/],
    [{ data: 'x', type: 'a\nb' }, /type/],
    [{ data: 'x', type: 'sse:other' }, /sse:/],
    [{ data: 'x', retry: -1 }, /retry/],
    [{ data: 'x', comment: 5 }, /`comment` is a number/],
    [{ comment: {} }, /`comment` is a object/],
  ])('%j is refused', (emitted, message) => {
    expect(() => emittedFrame(emitted, passed, { limits })).toThrow(message);
  });

  it('has the id that it was received with, on several channels', () => {
    const entry = entryOfChannel();
    expect(emittedFrame(eventOf('c', entry), undefined, { limits })).toBe('data: text\nid: 7\n\n');
    const labelled = eventOf('c', entry, 'x:7');
    expect(emittedFrame(labelled, undefined, { limits })).toBe('data: text\nid: x:7\n\n');
  });

  it('keeps the text of the data that came from a channel, and serializes all else', () => {
    const event = eventOf('c', entryOfChannel({ data: '{ "a": 1.0 }' }));
    expect(emittedFrame(event, undefined, { limits })).toBe('data: { "a": 1.0 }\nid: 7\n\n');
    const options = { limits, serialize: (data: unknown) => `<${JSON.stringify(data)}>` };
    const frameOf = (emitted: unknown) => emittedFrame(emitted, undefined, options);
    expect(frameOf({ data: event.data })).toBe('data: { "a": 1.0 }\n\n');
    expect(frameOf({ data: { a: 1 } })).toBe('data: <{"a":1}>\n\n');
    expect(frameOf({ data: 5 })).toBe('data: <5>\n\n');
    expect(frameOf({ data: 'text' })).toBe('data: text\n\n');
    expect(frameOf(5)).toBe('data: <5>\n\n');
    // Without a function of the application's, the text is that of JSON.stringify().
    expect(emittedFrame({ data: event.data }, undefined, { limits })).toBe('data: {"a":1}\n\n');
  });
});
