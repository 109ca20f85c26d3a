import { describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { channelName, defineChannel, unchecked } from '../../lib/index.js';

const percent = z.object({ percent: z.number() });

describe('defineChannel()', () => {
  it('names channels as channelName() does, and finds the values in names', () => {
    const Seat = defineChannel('hall:{hall}/{seat}', { taken: unchecked<object>() });
    expect(Seat.channel({ hall: 'a b', seat: 7 })).toBe('hall:a%20b/7');
    expect(Seat.channel({ hall: 'a:*', seat: 7 })).toBe(
      channelName(Seat.template, { hall: 'a:*', seat: 7 }),
    );
    expect(Seat.paramsOf('hall:a%20b/7')).toEqual({ hall: 'a b', seat: '7' });
    expect(Seat.paramsOf('room:1')).toBeUndefined();
    expect(defineChannel('news', { message: percent }).channel()).toBe('news');
  });

  it('takes schemas of any library with the Standard Schema interface', () => {
    const events = {
      zod: percent,
      valibot: v.object({ percent: v.number() }),
      // Its schemas are functions.
      arktype: type({ percent: 'number' }),
      none: unchecked<{ percent: number }>(),
    };
    expect(defineChannel('job', events)).toMatchObject({ template: 'job', events });
  });

  it('is not changed by who changes what it was given', () => {
    const events: Record<string, typeof percent> = { progress: percent };
    const Job = defineChannel('job', events);
    events['failed'] = percent;
    expect(Object.keys(Job.events)).toEqual(['progress']);
    expect(() => Object.assign(Job.events, events)).toThrow(TypeError);
    expect(() => Object.assign(Job, { template: 'jobs' })).toThrow(TypeError);
  });

  it.each<[string, unknown, unknown, string, RegExp]>([
    ['no name', undefined, { message: percent }, 'INVALID_CHANNEL', /undefined/],
    ['an empty name', '', { message: percent }, 'INVALID_CHANNEL', /an empty name/],
    ['a lone brace', 'job:{id', { message: percent }, 'INVALID_CHANNEL', /brace/],
    ['no events', 'job', undefined, 'INVALID_OPTION', /undefined.* by its type/],
    ['an empty list of events', 'job', {}, 'INVALID_OPTION', /by its type/],
    [
      'a schema of no library',
      'job',
      { message: { type: 'object' } },
      'INVALID_OPTION',
      /"message"/,
    ],
    ['no schema', 'job', { message: null }, 'INVALID_OPTION', /null/],
    ['a reserved type', 'job', { 'sse:reset': percent }, 'INVALID_EVENT', /"sse:reset"/],
    ['a type of two lines', 'job', { 'a\nb': percent }, 'INVALID_EVENT', /one line/],
  ])('refuses %s', (_, template, events, code, message) => {
    const define = () => defineChannel(template as string, events as { message: typeof percent });
    expect(define).toThrow(expect.objectContaining({ code }));
    expect(define).toThrow(message);
  });

  it.each<[string, unknown]>([
    ['missing', {}],
    ['not given at all', undefined],
    ['empty', { id: '' }],
    ['an object', { id: {} }],
  ])('names no channel when a value is %s', (_, params) => {
    const Job = defineChannel('job:{id}', { message: percent });
    expect(() => Job.channel(params as { id: string })).toThrow(
      expect.objectContaining({ code: 'INVALID_CHANNEL' }),
    );
  });
});
