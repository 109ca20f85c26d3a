import { expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';

const LIMITS = { events: 10, bytes: 10_000, age: Infinity, eventSize: 1_000 };

const open = () => new Channel('c', LIMITS, () => undefined);

it('A client that resumes by an id of the publisher misses nothing: an id that is a position of the channel causes an error', () => {
  const channel = open();
  const ids = ['a', 'b', 'c'].map((data) => channel.append({ data }));
  const next = ids[2]!.replace(/3$/, '4');
  for (const id of [...ids, next]) {
    expect(() => channel.append({ data: 'd', id })).toThrow(
      expect.objectContaining({
        code: 'INVALID_EVENT',
        message: expect.stringContaining(`"${id}", which could be a position of this channel`),
      }),
    );
  }
  expect(channel.log.head).toBe(3);
  expect(channel.log.locate(ids[0]!)).toBe(1);
});

it('An id of the publisher may be a position of another channel', () => {
  const channel = open();
  const id = open().append({ data: 'a' });
  expect(channel.append({ data: 'b', id })).toBe(id);
  expect(channel.log.locate(id)).toBe(1);
});
