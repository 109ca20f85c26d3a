import { describe, expect, it } from '@jest/globals';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import * as fc from 'fast-check';
import { LogEntry } from '../../lib/channel/log-entry.js';
import {
  entryFrame,
  entryFrameWith,
  frameOf,
  HEARTBEAT_FRAME,
  type FrameFields,
} from '../../lib/delivery/frame.js';
import { SseFrameParser } from '../../lib/testing/index.js';
import { holds } from '../support/property.js';

/** Text with everything that could end a line, a field or a frame too early. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom('\r', '\n', '\r\n', ':', ' ', 'id: 1', 'data: x', '\0', '\uFEFF', 'ö😀'),
      {
        maxLength: 8,
      },
    )
    .map((parts) => parts.join('')),
);
/** Text that can stand in a field of one line. */
const line = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => !/[\r\n\0]/.test(value));

const event = fc.record({
  data: text,
  type: fc.option(line, { nil: undefined }),
  id: fc.option(line, { nil: undefined }),
  retry: fc.option(fc.nat(), { nil: undefined }),
});

type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

const wellFormed = (value: string) => Buffer.from(value).toString();

/** What a client is to make of the events, by the HTML standard. */
const expected = (events: readonly Event[]) => {
  let lastId = '';
  return events.map(({ data, type, id }) => {
    lastId = id === undefined ? lastId : wellFormed(id);
    return {
      data: wellFormed(data).replaceAll('\r\n', '\n').replaceAll('\r', '\n'),
      type: type === undefined ? 'message' : wellFormed(type),
      id: lastId,
    };
  });
};

const byIndependentParser = (chunks: readonly Uint8Array[]) => {
  const events: EventSourceMessage[] = [];
  const retries: number[] = [];
  const parser = createParser({
    onEvent: (message) => void events.push(message),
    onRetry: (retry) => void retries.push(retry),
  });
  const decoder = new TextDecoder();
  chunks.forEach((chunk) => parser.feed(decoder.decode(chunk, { stream: true })));
  let lastId = '';
  return {
    retries,
    events: events.map(({ data, event: type = 'message', id }) => {
      lastId = id ?? lastId;
      return { data, type, id: lastId };
    }),
  };
};

const byOwnParser = (chunks: readonly Uint8Array[]) => {
  const events: { data: string; type: string; id: string }[] = [];
  const retries: number[] = [];
  let lastId = '';
  const parser = new SseFrameParser(({ data, type = 'message', id, retry }) => {
    lastId = id ?? lastId;
    if (retry !== undefined) {
      retries.push(retry);
    }
    if (data !== undefined) {
      events.push({ data, type, id: lastId });
    }
  });
  chunks.forEach((chunk) => parser.push(chunk));
  return { events, retries };
};

const cutUp = (bytes: Buffer, cuts: readonly number[]) => {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, index) => bytes.subarray(at[index]!, end));
};

const entryOf = ({ data, type, id, retry }: Event) =>
  new LogEntry(1, 'position', { data, type, id, retry }, 0);

/** Each way in which an event becomes a frame. */
const WRITERS: Record<string, (event: Event) => string> = {
  frameOf: (fields: FrameFields) => frameOf(fields),
  entryFrame: (fields) => {
    const entry = entryOf(fields);
    return fields.id === undefined ? entryFrameWith(undefined, entry) : entryFrame(entry);
  },
  entryFrameWith: (fields) => entryFrameWith(fields.id, entryOf({ ...fields, id: 'another' })),
};

describe.each(Object.entries(WRITERS))('Frames of %s', (_name, frame) => {
  it('give independent parsers the same events, wherever the bytes are cut', async () => {
    await holds(
      fc.property(
        fc.array(fc.tuple(event, fc.boolean()), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        (events, cuts) => {
          const stream = events
            .map(([each, isBeaten]) => (isBeaten ? HEARTBEAT_FRAME : '') + frame(each))
            .join('');
          const chunks = cutUp(Buffer.from(stream), cuts);
          const sent = {
            events: expected(events.map(([each]) => each)),
            retries: events.flatMap(([{ retry }]) => (retry === undefined ? [] : [retry])),
          };
          // A stream begins with the opening: no event's text is at its start.
          const opened = [Buffer.from('retry: 1\n\n'), ...chunks];
          sent.retries.unshift(1);
          expect(byIndependentParser(opened)).toEqual(sent);
          expect(byOwnParser(opened)).toEqual(sent);
        },
      ),
    );
  });

  it('have the id in their last line, so that a cut frame moves no position', async () => {
    await holds(
      fc.property(event, (fields) => {
        const lines = frame(fields).split('\n');
        expect(lines.splice(-2)).toEqual(['', '']);
        const ids = lines.flatMap((each, index) => (each.startsWith('id:') ? [index] : []));
        expect(ids).toEqual(fields.id === undefined ? [] : [lines.length - 1]);
      }),
    );
  });
});

describe('Frames', () => {
  it("without an id, or with an empty one, leave the client's position as it is", () => {
    expect(frameOf({ id: '', data: 'x' })).toBe('data: x\n\n');
    expect(frameOf({ id: undefined, data: '' })).toBe('data: \n\n');
    const entry = new LogEntry(0, '', { data: 'x' }, 0);
    expect(entryFrame(entry)).toBe('data: x\n\n');
  });

  it('without any field do not exist, because some clients would take them for an event', () => {
    expect(frameOf({})).toBe('');
    expect(HEARTBEAT_FRAME).toBe(':\n');
  });
});
