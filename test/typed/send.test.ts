import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type } from 'arktype';
import { lastValueFrom, toArray } from 'rxjs';
import * as v from 'valibot';
import { z } from 'zod';
import {
  defineChannel,
  isReset,
  SseSchemaError,
  unchecked,
  type ChannelDefinition,
  type SseService,
  type StandardSchema,
} from '../../lib/index.js';
import { arrived } from '../once/arrived.js';
import { SYSTEMS, type System } from '../once/systems.js';
import { closeApps, startApp } from '../support/start-app.js';

const Job = defineChannel('job:{id}', {
  progress: z.object({ percent: z.number().max(100), unit: z.string().default('%') }),
  failed: v.object({ why: v.pipe(v.string(), v.trim()) }),
  message: type({ text: 'string' }),
  note: unchecked<{ text: string }>(),
});

/** A schema of no library. */
const schemaOf = (validate: (value: unknown) => unknown) =>
  ({ '~standard': { version: 1, vendor: 'test', validate } }) as ReturnType<typeof unchecked>;

const fails = (): never => {
  throw new TypeError('broken');
};
const method = (name: string) => Object.defineProperty({}, name, { value: fails });
const getter = (name: string) => Object.defineProperty({}, name, { get: fails });

const start = async (system?: System): Promise<SseService> =>
  (await startApp({ options: system?.options ?? {} })).sse;

afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
});

describe.each(Object.entries(SYSTEMS))('to() with %s', (_, startSystem) => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem();
  });
  afterAll(() => system.stop());

  it('sends what the schemas make of the data, in the order of the calls', async () => {
    const sse = await start(system);
    const job = sse.to(Job, { id: 'a b' });
    expect(job.channel).toBe('job:a%20b');
    const secret = { percent: 5, password: 'p' };
    const ids = await Promise.all([
      job.send('progress', secret),
      job.send('failed', { why: ' tired ' }, { retry: 900 }),
      job.send('message', { text: 'plain' }, { id: 'of mine' }),
      job.send('note', { text: 'as it is' }),
    ]);
    const came = await arrived(sse, job.channel);
    expect(came.map(({ id }) => id)).toEqual([...ids.slice(0, 2), 'of mine', ids[3]]);
    expect(came).toEqual([
      // What the schema does not know is left out, and its defaults are there.
      expect.objectContaining({ type: 'progress', data: { percent: 5, unit: '%' } }),
      expect.objectContaining({ type: 'failed', data: { why: 'tired' }, retry: 900 }),
      expect.not.objectContaining({ type: expect.anything() }),
      expect.objectContaining({ type: 'note', data: { text: 'as it is' } }),
    ]);
    expect(came[2]!.data).toEqual({ text: 'plain' });
  });

  it('sends many, and answers for each', async () => {
    const sse = await start(system);
    const job = sse.to(Job, { id: 'many' });
    const results = await job.sendAll([
      { type: 'progress', data: { percent: 1 }, idempotencyKey: 'one' },
      { type: 'progress', data: { percent: 101 } },
      { type: 'message', data: { text: 'm' }, id: 'mine' },
      { type: 'progress', data: { percent: 1 }, idempotencyKey: 'one' },
      { type: 'progres', data: { percent: 1 } } as never,
      { type: 'note', channel: 'job:other', data: { text: 'n' } } as never,
      undefined as never,
    ]);
    expect(results).toEqual([
      { status: 'sent', id: expect.any(String), duplicate: false },
      { status: 'failed', error: expect.any(SseSchemaError) },
      { status: 'sent', id: expect.any(String), duplicate: false },
      { status: 'sent', id: (results[0] as { id: string }).id, duplicate: true },
      { status: 'failed', error: expect.objectContaining({ code: 'INVALID_EVENT' }) },
      { status: 'failed', error: expect.objectContaining({ code: 'INVALID_OPTION' }) },
      { status: 'failed', error: expect.objectContaining({ code: 'INVALID_OPTION' }) },
    ]);
    const came = await arrived(sse, job.channel);
    expect(came.map(({ data }) => data)).toEqual([{ percent: 1, unit: '%' }, { text: 'm' }]);
  });

  it('publishes once with a key, and ends a run', async () => {
    const sse = await start(system);
    const job = sse.to(Job, { id: 'once' });
    const send = () => job.send('note', { text: 'n' }, { idempotencyKey: 'k' });
    expect(await send()).toBe(await send());
    await job.complete();
    const came = await lastValueFrom(
      sse.stream(job.channel, { lastEventId: 'earliest' }).pipe(toArray()),
    );
    expect(came.filter((event) => !isReset(event)).map(({ data }) => data)).toEqual([
      { text: 'n' },
      '[DONE]',
    ]);
  });
});

describe('Data that does not fit', () => {
  const invalid: [string, ChannelDefinition, unknown, { path: string }[]][] = [
    [
      'zod',
      defineChannel('c', { e: z.object({ list: z.array(z.object({ n: z.number() })) }) }),
      { list: [{ n: 1 }, { n: 'x' }] },
      [{ path: 'list[1].n' }],
    ],
    [
      'valibot',
      defineChannel('c', { e: v.object({ list: v.array(v.object({ n: v.number() })) }) }),
      { list: [{ n: 1 }, { n: 'x' }] },
      [{ path: 'list[1].n' }],
    ],
    [
      'arktype',
      defineChannel('c', { e: type({ list: type({ n: 'number' }).array() }) }),
      { list: [{ n: 1 }, { n: 'x' }] },
      [{ path: 'list[1].n' }],
    ],
    ['the whole of it', defineChannel('c', { e: z.string() }), 5, [{ path: '' }]],
    [
      'keys that the schema does not name',
      defineChannel('c', { e: z.record(z.string(), z.number()) }),
      { 'a b': 'x', '1': 'x' },
      [{ path: '[…]' }, { path: '[…]' }],
    ],
    [
      'a name that is no word',
      defineChannel('c', { e: z.object({ 'a b': z.number() }) }),
      { 'a b': 'x' },
      [{ path: '["a b"]' }],
    ],
  ];

  it.each(invalid)('is refused with the issues, and not sent: %s', async (_, C, data, issues) => {
    const sse = await start();
    const error = await sse
      .to(C)
      .send('e', data)
      .catch((caught: unknown) => caught as SseSchemaError);
    expect(error).toBeInstanceOf(SseSchemaError);
    const { code, message, issues: found } = error as SseSchemaError;
    expect(code).toBe('INVALID_EVENT');
    expect(found).toEqual(issues.map((issue) => expect.objectContaining(issue)));
    for (const { path, message: text } of found) {
      expect(message).toContain(path === '' ? text : `${path}: ${text}`);
    }
    expect(await arrived(sse, 'c')).toEqual([]);
  });

  it('is told in one line of the log, for who does not await', async () => {
    const lines: string[] = [];
    jest.spyOn(Logger.prototype, 'error').mockImplementation((line) => void lines.push(line));
    const sse = await start();
    void sse.to(Job, { id: 1 }).send('progress', { percent: 'p4ssw0rd' as never });
    expect(await arrived(sse, 'job:1')).toEqual([]);
    expect(lines).toEqual([
      expect.stringMatching(/^An event was not accepted: .*"progress".*"job:\{id\}".*percent: /),
    ]);
    expect(lines[0]).not.toContain('p4ssw0rd');
  });
});

describe('An event that cannot be sent', () => {
  it.each(['progres', '', 'constructor', '__proto__', 'toString', undefined, 5])(
    'has no such type: %p',
    async (name) => {
      const sse = await start();
      await expect(sse.to(Job, { id: 1 }).send(name as 'note', { text: '' })).rejects.toMatchObject(
        {
          code: 'INVALID_EVENT',
          message: expect.stringContaining('progress, failed, message, note'),
        },
      );
      expect(await arrived(sse, 'job:1')).toEqual([]);
    },
  );

  it.each<[string, (value: unknown) => unknown, RegExp]>([
    ['throws', fails, /threw a TypeError\./],
    ['is asynchronous', async (value) => ({ value }), /asynchronous/],
    ['is asynchronous and rejects', () => Promise.reject(new Error('late')), /asynchronous/],
    ['answers with a promise whose then() throws', () => method('then'), /asynchronous/],
    ['gives nothing', () => undefined, /undefined in place of a result/],
    ['gives a result whose then throws', () => getter('then'), /cannot be read: .* TypeError/],
    ['gives a result whose issues throw', () => getter('issues'), /cannot be read: .* TypeError/],
    ['gives a result whose value throws', () => getter('value'), /cannot be read: .* TypeError/],
    ['gives an issue that throws', () => ({ issues: [getter('path')] }), /cannot be read/],
    ['gives issues that are no list', () => ({ issues: 5 }), /a number in place of a list/],
    ['gives an issue that is none', () => ({ issues: [null] }), /: does not fit\. /],
    ['gives a path that is none', () => ({ issues: [{ path: 5 }] }), /: does not fit\. /],
    ['gives a list without issues', () => ({ issues: [] }), /, which gives no reason\. /],
  ])('has a schema that %s', async (_, validate, message) => {
    const sse = await start();
    const Faulty = defineChannel('faulty', { e: schemaOf(validate) });
    await expect(sse.to(Faulty).send('e', 'x')).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringMatching(message),
    });
    await expect(sse.to(Faulty).send('e', 'x')).rejects.toThrow('the event "e"');
    expect(await arrived(sse, 'faulty')).toEqual([]);
  });

  const later = async (): Promise<never> => {
    throw new Error('late');
  };
  it.each<[string, StandardSchema]>([
    // zod itself leaves a rejection that nobody handles.
    ['zod: refine', z.string().refine(async () => true)],
    ['zod: transform', z.string().transform(async (text) => text)],
    ['valibot: checkAsync', v.pipeAsync(v.string(), v.checkAsync(later))],
    ['valibot: transformAsync', v.pipeAsync(v.string(), v.transformAsync(later))],
    ['valibot: transform', v.pipe(v.string(), v.transform(later))],
    ['arktype: pipe', type('string').pipe(later)],
  ])('has an asynchronous schema of %s', async (_, schema) => {
    const sse = await start();
    const Late = defineChannel('late', { e: schema });
    await expect(sse.to(Late).send('e', 'x')).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringContaining('answered with a promise: either it is asynchronous'),
    });
    expect(await sse.to(Late).sendAll([{ type: 'e', data: 'x' }])).toMatchObject([
      { error: { code: 'INVALID_EVENT' } },
    ]);
    expect(await arrived(sse, 'late')).toEqual([]);
  });

  it.each<[string, StandardSchema]>([
    ['zod', z.object({ n: z.number() })],
    ['valibot', v.object({ n: v.number() })],
    ['arktype', type({ n: 'number' })],
  ])('has another type than the definition with a schema of %s', async (_, schema) => {
    const sse = await start();
    const Known = defineChannel('known', { e: schema });
    await expect(sse.to(Known).send('f' as 'e', { n: 1 })).rejects.toMatchObject({
      code: 'INVALID_EVENT',
      message: expect.stringContaining('has no event "f". It has: e.'),
    });
    await sse.to(Known).send('e', { n: 1 });
    expect(await arrived(sse, 'known')).toHaveLength(1);
  });

  it('has an option of another method', async () => {
    const sse = await start();
    const options = { type: 'note' } as never;
    await expect(sse.to(Job, { id: 1 }).send('note', { text: '' }, options)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
  });

  it('has a channel without a name, or no definition', async () => {
    const sse = await start();
    expect(() => sse.to(Job, { id: '' })).toThrow(
      expect.objectContaining({ code: 'INVALID_CHANNEL' }),
    );
    for (const wrong of ['job:1', undefined, null, {}, Job.events]) {
      expect(() => sse.to(wrong as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTION' }),
      );
    }
    // Names that no channel can have reject, as they do for send().
    const Long = defineChannel('{name}', { e: unchecked<string>() });
    await expect(sse.to(Long, { name: 'x'.repeat(2_000) }).send('e', '')).rejects.toMatchObject({
      code: 'INVALID_CHANNEL',
    });
  });
});
