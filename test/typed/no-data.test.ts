import { inspect } from 'node:util';
import { Body, ConsoleLogger, Controller, Logger, Post } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type } from 'arktype';
import * as fc from 'fast-check';
import * as v from 'valibot';
import { z } from 'zod';
import {
  defineChannel,
  SseSchemaError,
  SseService,
  unchecked,
  type ChannelDefinition,
} from '../../lib/index.js';
import { holds } from '../support/property.js';
import { closeApps, startApp } from '../support/start-app.js';

const SECRET = 'hunter2';

const parse = (text: string): unknown => JSON.parse(text);
const channelOf = (schema: unknown) =>
  defineChannel('c', { e: schema as ReturnType<typeof unchecked> });

@Controller()
class SecretController {
  constructor(private readonly sse: SseService) {}

  @Post('throws')
  async throws(@Body() { text }: { text: string }) {
    await this.sse.to(channelOf(v.pipe(v.string(), v.transform(parse)))).send('e', text);
  }

  @Post('refuses')
  async refuses(@Body() body: object) {
    await this.sse.to(channelOf(z.strictObject({}))).send('e', body);
  }

  @Post('serializes')
  async serializes(@Body() { text }: { text: string }) {
    await this.sse.send('c', { toJSON: () => parse(text) });
  }
}

afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
});

/** What is told of an event that is refused: by its error, however it is written, and in the log. */
async function told(sse: SseService, C: ChannelDefinition, data: unknown) {
  const lines: unknown[] = [];
  jest.spyOn(Logger.prototype, 'error').mockImplementation((...line) => void lines.push(line));
  const error = (await sse
    .to(C)
    .send('e', data)
    .catch((caught: unknown) => caught)) as SseSchemaError;
  expect(error).toMatchObject({ code: 'INVALID_EVENT', message: expect.stringContaining('"e"') });
  expect(lines).toHaveLength(1);
  const { stack, cause } = error;
  const text = inspect([error, lines], { depth: 9, maxStringLength: null });
  return { error, text: text + stack + inspect(cause) + JSON.stringify(error) };
}

class Session {
  get token() {
    return SECRET;
  }
  toString() {
    return SECRET;
  }
}

const throwing = {
  get a(): number {
    throw new Error(SECRET);
  },
};
const thrower = (value: unknown): boolean => {
  throw new Error(`bug with ${String(value)}`);
};
const own = (validate: (data: never) => unknown) => ({
  '~standard': { version: 1, vendor: 'test', validate },
});

const THROWN: [string, unknown, unknown, RegExp][] = [
  ['zod: transform', z.string().transform(parse), SECRET, /promise: .*or its code .*has thrown/],
  ['zod: refine', z.string().refine(thrower), SECRET, /promise: .*or its code .*has thrown/],
  ['zod: a getter', z.object({ a: z.number() }), throwing, /a getter of the data has thrown/],
  ['valibot: transform', v.pipe(v.string(), v.transform(parse)), SECRET, /threw a SyntaxError\./],
  ['valibot: check', v.pipe(v.string(), v.check<string>(thrower)), SECRET, /threw an error\./],
  ['valibot: a getter', v.object({ a: v.number() }), throwing, /threw an error\./],
  ['arktype: pipe', type('string').pipe(parse), SECRET, /threw a SyntaxError\./],
  ['arktype: narrow', type('string').narrow(thrower), SECRET, /threw an error\./],
  ['arktype: a getter', type({ a: 'number' }), throwing, /threw an error\./],
  [
    'a text',
    own((data) => {
      throw data;
    }),
    SECRET,
    /threw a value that is no error\./,
  ],
];

const url = new URL(`http://user:${SECRET}@host/`);
const buffer = Buffer.from(SECRET);
const map = new Map([[SECRET, 'x']]);

const REFUSED: [string, unknown, unknown, string][] = [
  ['zod: an unknown key', z.strictObject({ a: z.number() }), { a: 1, [SECRET]: 1 }, ''],
  ['zod: a record', z.record(z.string(), z.number()), { [SECRET]: 'x' }, '[…]'],
  ['zod: a key', z.record(z.string().max(3), z.number()), { [SECRET]: 1 }, '[…]'],
  ['zod: a Map', z.map(z.string(), z.number()), map, '[…]'],
  ['zod: a URL', z.object({ a: z.string() }), { a: url }, 'a'],
  [
    'zod: a message',
    z.string().refine(() => false, { error: (i) => `no ${String(i.input)}` }),
    SECRET,
    '',
  ],
  [
    'zod: lazy',
    z.object({ a: z.lazy(() => z.object({ b: z.number() })) }),
    { a: { b: SECRET } },
    'a.b',
  ],
  ['valibot: an unknown key', v.strictObject({ a: v.number() }), { a: 1, [SECRET]: 1 }, '[…]'],
  ['valibot: a record', v.record(v.string(), v.number()), { [SECRET]: SECRET }, '[…]'],
  ['valibot: a Map', v.map(v.string(), v.number()), map, '[…]'],
  ['valibot: a URL', v.object({ a: v.string() }), { a: url }, 'a'],
  ['valibot: a class', v.object({ a: v.string() }), { a: new Session() }, 'a'],
  [
    'valibot: a message',
    v.pipe(
      v.string(),
      v.check<string, (issue: v.CheckIssue<string>) => string>(
        () => false,
        (i) => `no ${i.input}`,
      ),
    ),
    SECRET,
    '',
  ],
  ['arktype: an unknown key', type({ a: 'number', '+': 'reject' }), { a: 1, [SECRET]: 1 }, '[…]'],
  ['arktype: a record', type({ '[string]': 'number' }), { [SECRET]: SECRET }, '[…]'],
  ['arktype: JSON', type({ a: 'string.json.parse' }), { a: SECRET }, 'a'],
  ['arktype: a URL', type({ a: 'string' }), { a: url }, 'a'],
  ['arktype: an object', type({ a: 'string' }), { a: { password: SECRET, b: buffer } }, 'a'],
  ['a part', own((d: string) => ({ issues: [{ message: `no ${d.slice(0, 6)}` }] })), SECRET, ''],
  ['codes', own((d: string) => ({ issues: [{ code: d, type: d, expected: d }] })), SECRET, ''],
  ['a place', own((d: number) => ({ issues: [{ message: '', path: [d] }] })), 5_551_234, '[…]'],
];

describe('The error for data that is refused', () => {
  it.each(THROWN)('has no words of what was thrown: %s', async (_, schema, data, message) => {
    const { sse } = await startApp({});
    const { error, text } = await told(sse, channelOf(schema), data);
    expect(error.message).toMatch(message);
    expect(text).not.toContain(SECRET.slice(0, 6));
  });

  it.each(['', SECRET])('tells where the code has thrown: %j', async (words) => {
    const { sse } = await startApp({});
    const fail = (): boolean => {
      throw new Error(words);
    };
    const { error } = await told(sse, channelOf(v.pipe(v.string(), v.check(fail))), '');
    expect((error.cause as Error).stack).toMatch(/^Error: an error\n +at .*fail .*no-data\.test/);
  });

  it('has no stack that it cannot tell from the words', async () => {
    const { sse } = await startApp({});
    const proxy = Proxy.revocable({}, {});
    proxy.revoke();
    const changed = new Error(SECRET);
    // It is written when it is first read.
    expect(changed.stack).toContain(SECRET);
    changed.message = 'other';
    for (const thrown of [changed, proxy.proxy, undefined]) {
      const schema = own(() => {
        throw thrown;
      });
      const { error } = await told(sse, channelOf(schema), '');
      expect((error.cause as Error).stack).toMatch(/^Error: an? [a-z ]+$/);
    }
  });

  it('names keys as far as a schema can be searched', async () => {
    const { sse } = await startApp({});
    const long = 'k'.repeat(81);
    const endless = (): z.ZodType => z.object({ n: z.number(), next: z.lazy(endless).optional() });
    const schemas: [unknown, object, string][] = [
      [
        z.object({ n: z.number(), l: z.array(z.lazy((): z.ZodType => thrower('') as never)) }),
        { n: '', l: [] },
        'n',
      ],
      [z.object({ [long]: z.number() }), { [long]: '' }, '[…]'],
      [endless(), { n: 1, next: { n: 1, next: { n: '' } } }, 'next.next.n'],
    ];
    for (const [schema, data, path] of schemas) {
      const { error } = await told(sse, channelOf(schema), data);
      expect(error.issues).toEqual([expect.objectContaining({ path })]);
    }
  });

  it.each(REFUSED)('has no value and no key of it: %s', async (_, schema, data, path) => {
    const { sse } = await startApp({});
    const { error, text } = await told(sse, channelOf(schema), data);
    expect(error).toBeInstanceOf(SseSchemaError);
    expect(error.issues).toEqual([{ path, message: expect.stringMatching(/^does not fit/) }]);
    expect(text).not.toContain(SECRET.slice(0, 6));
    expect(text).not.toContain('5551234');
  });

  it.each<[string, unknown, string]>([
    ['zod', z.object({ n: z.number() }), 'invalid_type: number expected'],
    ['zod', z.object({ n: z.any().refine(() => false) }), 'custom'],
    ['valibot', v.object({ n: v.number() }), 'number'],
    ['valibot', v.object({ n: v.pipe(v.string(), v.maxLength(1)) }), 'max_length'],
    ['arktype', type({ n: 'number' }), 'domain: number expected'],
    ['arktype', type({ n: 'string <= 1' }), 'maxLength'],
  ])('has the code of the library: %s %#', async (_, schema, code) => {
    const { sse } = await startApp({});
    const { error } = await told(sse, channelOf(schema), { n: 'long' });
    expect(error.issues).toEqual([{ path: 'n', message: `does not fit (${code})` }]);
    expect(error.message).toContain(`: n: does not fit (${code}). `);
  });

  it("gives the schema's own issues to who asks", async () => {
    const { sse } = await startApp({});
    const schema = z.object({ day: z.string().refine(() => false, 'no weekday') });
    const { error } = await told(sse, channelOf(schema), { day: SECRET });
    expect(error.given()).toEqual([
      expect.objectContaining({ message: 'no weekday', path: ['day'] }),
    ]);
  });

  it('has at most 50 issues, and paths of 200 characters', async () => {
    const { sse } = await startApp({});
    const path = Array.from({ length: 100_000 }, () => SECRET);
    const issues = Array.from({ length: 100_000 }, () => ({ message: 'm'.repeat(1_000), path }));
    const { error } = await told(sse, channelOf(own(() => ({ issues }))), {});
    expect(error.issues).toHaveLength(50);
    expect(error.issues[0]!.path).toBe(`${'[…]'.repeat(50)}…`);
    expect(error.message.length).toBeLessThan(1_000);
    const name = 'a'.repeat(80);
    let deep: z.ZodType = z.number();
    let data: object = {};
    for (let depth = 0; depth < 5; depth++) {
      deep = z.object({ [name]: deep });
      data = { [name]: depth === 0 ? SECRET : data };
    }
    const { error: long } = await told(sse, channelOf(deep), data);
    expect(long.issues[0]!.path).toBe(`${name}.${name}…`);
  });

  it('has no text and no number of it, whatever they are', async () => {
    const { sse } = await startApp({});
    const schemas: Record<string, unknown> = {
      zod: z.object({ field: z.literal('the word'), n: z.number().max(1) }),
      valibot: v.object({ field: v.literal('the word'), n: v.pipe(v.number(), v.maxValue(1)) }),
      arktype: type({ field: "'the word'", n: 'number <= 1' }),
    };
    const name = fc.constantFrom(...Object.keys(schemas));
    const text = fc.string({ minLength: 8, maxLength: 40, unit: 'grapheme' });
    const number = fc.integer({ min: 10_000, max: 9_999_999 });
    jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    await holds(
      fc.asyncProperty(name, text, number, async (library, secret, n) => {
        const data = { field: { [secret]: [secret] }, n };
        const error = (await sse
          .to(channelOf(schemas[library]))
          .send('e', data)
          .catch((caught: unknown) => caught)) as SseSchemaError;
        // The same words for every secret: those of the schema and of the library.
        expect(error.message).toMatch(
          /^The data of the event "e" does not fit its schema in "c": (field|n): does not fit \(\w+(: \w+ expected)?\)(; n: does not fit \(\w+\))?\. Give data that fits, or change the schema\.$/,
        );
      }),
    );
  });
});

describe('An error that reaches Nest', () => {
  it.each(['throws', 'refuses', 'serializes'])(
    'has no data in the answer or the log: %s',
    async (path) => {
      const written: string[] = [];
      const errors = jest.spyOn(process.stderr, 'write').mockImplementation((line) => {
        written.push(String(line));
        return true;
      });
      const { url: base } = await startApp({
        controllers: [SecretController],
        logger: new ConsoleLogger({ logLevels: ['error'] }),
      });
      const answer = await fetch(`${base}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text: SECRET, [SECRET]: SECRET }),
      });
      expect(answer.status).toBe(500);
      expect(await answer.json()).toEqual({ statusCode: 500, message: 'Internal server error' });
      errors.mockRestore();
      const log = written.join('');
      expect(log).toContain('INVALID_EVENT');
      expect(log).not.toContain(SECRET.slice(0, 6));
    },
  );
});
