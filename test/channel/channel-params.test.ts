import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { channelName, channelParams } from '../../lib/index.js';
import { holds } from '../support/property.js';

describe('channelParams()', () => {
  it.each<[string, string, object | undefined]>([
    ['job:{id}', 'job:42', { id: '42' }],
    ['job:{id}', 'job:1%3Asecret', { id: '1:secret' }],
    ['job:{id}', 'job:%F0%9F%98%80%2A', { id: '😀*' }],
    ['{tenant}/{room}/log', 'a/b/log', { tenant: 'a', room: 'b' }],
    ['{a}:{a}', 'x:x', { a: 'x' }],
    ['job', 'job', {}],
    ['{__proto__}', 'x', Object.fromEntries([['__proto__', 'x']])],
    // Where a separator may be in a value, the first value is the shortest.
    ['{a}-{b}', 'x-y-z', { a: 'x', b: 'y-z' }],
    ['{a}-{b}', '--x', { a: '-', b: 'x' }],
    ['job:{id}', 'room:42', undefined],
    ['job:{id}', 'job:', undefined],
    ['job:{id}', 'job:1:2', undefined],
    ['job:{id}/log', 'job:1', undefined],
    ['job:{id}/log', 'job:/log', undefined],
    ['{a}:{a}', 'x:y', undefined],
    ['{a}:b:{c}', 'x:b:', undefined],
    ['a{b}a', 'aa', undefined],
    ['job', 'jobs', undefined],
    // No value is encoded as these.
    ['job:{id}', 'job:a b', undefined],
    ['job:{id}', 'job:*', undefined],
    ['job:{id}', 'job:%3a', undefined],
    ['job:{id}', 'job:%41', undefined],
    ['job:{id}', 'job:%', undefined],
    ['job:{id}', 'job:%ED%A0%80', undefined],
  ])('finds in a name of %s what is in %s', (template, name, params) => {
    expect(channelParams(template, name)).toEqual(params);
  });

  it('is the inverse of channelName() for any values, whatever separates them', async () => {
    const value = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' });
    await holds(
      fc.property(value, value, fc.constantFrom(':', '/', '::', ' '), (a, b, separator) => {
        const template = `of${separator}{a}${separator}{b}`;
        const name = channelName(template, { a, b });
        expect(channelParams(template, name)).toEqual({ a, b });
      }),
    );
  });

  it('gives values that make the same name, where they are not the only ones', async () => {
    const text = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', '-', '.') });
    const template = '{a}-{b}.{c}';
    await holds(
      fc.property(text, text, text, (a, b, c) => {
        const name = channelName(template, { a, b, c });
        const params = channelParams(template, name);
        expect(params && channelName(template, params)).toBe(name);
      }),
    );
  });

  it('takes no time for a long name that fits nearly', () => {
    const template = Array.from({ length: 50 }, (_, nth) => `{part${nth}}-`).join('');
    expect(channelParams(`${template}:`, '-'.repeat(100_000))).toBeUndefined();
  });

  it('refuses a template that has a brace without its other half', () => {
    expect(() => channelParams('job:{id', 'job:1')).toThrow(
      expect.objectContaining({ code: 'INVALID_CHANNEL' }),
    );
  });
});
