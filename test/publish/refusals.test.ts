import { ForbiddenException, Injectable, Sse } from '@nestjs/common';
import { Controller } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import type { SsePublishOptions } from '../../lib/publish/index.js';
import { defineChannel } from '../../lib/typed/index.js';
import { arrived, dataOf } from '../once/arrived.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { publishTo, startPublishApp, TOKEN } from './app.js';

const Job = defineChannel('job:{id}', {
  progress: z.object({ percent: z.number(), unit: z.string().default('%') }),
  message: z.object({ text: z.string() }),
});

describe.each(ADAPTERS)('What is refused over HTTP on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options: Partial<SsePublishOptions> = {}) => startPublishApp(options, { adapter });

  it('refuses whom the guards refuse', async () => {
    const app = await start();
    const event = { channel: 'a', data: 'b' };
    expect(await publishTo(app, event, { authorization: 'Bearer guess' })).toMatchObject({
      status: 403,
    });
    expect(await publishTo(app, event, TOKEN)).toMatchObject({ status: 200 });
    expect(dataOf(await arrived(app.sse, 'a'))).toEqual(['b']);
  });

  it.each<[what: string, event: unknown, code: string, says: string]>([
    ['an event without a channel', { data: 'a' }, 'INVALID_CHANNEL', 'undefined'],
    ['an empty name', { channel: '', data: 'a' }, 'INVALID_CHANNEL', 'empty'],
    ['a name that is no text', { channel: ['a'], data: 'a' }, 'INVALID_CHANNEL', 'an array'],
    ['a long name', { channel: 'x'.repeat(1_025), data: 'a' }, 'INVALID_CHANNEL', '1025 bytes'],
    ['a control character', { channel: 'a\u0000b', data: 'a' }, 'INVALID_CHANNEL', 'control'],
    ['half a character', { channel: '\ud800', data: 'a' }, 'INVALID_CHANNEL', 'surrogates'],
    ["the module's own names", { channel: 'sse:x', data: 'a' }, 'INVALID_CHANNEL', 'own'],
    ['no data', { channel: 'a' }, 'INVALID_EVENT', 'no `data`'],
    [
      "the module's own types",
      { channel: 'a', data: 'b', type: 'sse:reset' },
      'INVALID_EVENT',
      'own',
    ],
    ['a type of two lines', { channel: 'a', data: 'b', type: 'x\ny' }, 'INVALID_EVENT', 'one line'],
    ['a type that is no text', { channel: 'a', data: 'b', type: 5 }, 'INVALID_EVENT', '5'],
    ['an empty id', { channel: 'a', data: 'b', id: '' }, 'INVALID_EVENT', '`id`'],
    ['a wrong retry', { channel: 'a', data: 'b', retry: -1 }, 'INVALID_EVENT', '`retry`'],
    [
      'a misspelt field',
      { channel: 'a', data: 'b', idempotencykey: 'k' },
      'INVALID_EVENT',
      'idempotencykey',
    ],
    ['an empty key', { channel: 'a', data: 'b', idempotencyKey: '' }, 'INVALID_EVENT', 'empty'],
    [
      'a key that is no text',
      { channel: 'a', data: 'b', idempotencyKey: 5 },
      'INVALID_EVENT',
      'string',
    ],
    [
      'a long key',
      { channel: 'a', data: 'b', idempotencyKey: 'k'.repeat(257) },
      'INVALID_EVENT',
      '257 bytes',
    ],
  ])('refuses %s, alone and in a list', async (_, event, code, says) => {
    const { publish, sse } = await start();
    const one = await publish(event);
    expect(one).toMatchObject({
      status: 400,
      body: {
        statusCode: 400,
        code,
        message: expect.stringContaining(says),
        help: expect.stringContaining(code.toLowerCase().replace('_', '-')),
      },
    });
    const good = { channel: 'good', data: 'c' };
    const many = await publish({ events: [event, good, event] });
    expect(many).toMatchObject({
      status: 207,
      body: {
        results: [
          { status: 'failed', error: one.body },
          { status: 'sent' },
          { status: 'failed', error: one.body },
        ],
      },
    });
    expect(dataOf(await arrived(sse, 'good'))).toEqual(['c']);
  });

  it.each<[what: string, item: unknown]>([
    ['null', null],
    ['text', 'a'],
    ['a list', [{ channel: 'a', data: 'b' }]],
  ])('refuses %s in place of an event of a list', async (_, item) => {
    const { publish } = await start();
    expect(await publish({ events: [item] })).toMatchObject({
      status: 400,
      body: { results: [{ status: 'failed', error: { code: 'INVALID_EVENT' } }] },
    });
  });

  it.each<[what: string, body: string, says: string]>([
    ['a list without an object around it', '[{"channel":"a","data":"b"}]', 'Put the list into'],
    ['an event beside a list', '{"events":[],"channel":"a"}', '`events` and'],
    ['a list that is none', '{"events":{"channel":"a"}}', '`events` is an object'],
    ['an empty object', '{}', "channel's name is undefined"],
  ])('refuses %s', async (_, body, says) => {
    const { publish } = await start();
    expect(await publish(body)).toMatchObject({
      status: 400,
      body: { code: expect.stringMatching(/^INVALID_/), message: expect.stringContaining(says) },
    });
  });

  it.each<[what: string, body: string]>([
    ['broken JSON', '{"channel":"a",'],
    ['a number', '5'],
    ['text', '"text"'],
    ['null', 'null'],
    ['NaN', '{"channel":"a","data":NaN}'],
    ['nothing', ''],
  ])('answers 400 to %s as a body', async (_, body) => {
    const { publish } = await start();
    expect(await publish(body)).toMatchObject({ status: 400 });
  });

  it('takes JSON only, as pages of other origins may send forms and text unasked', async () => {
    const { publish, sse } = await start();
    for (const [type, body] of [
      ['application/x-www-form-urlencoded', 'channel=a&data=b'],
      ['text/plain', '{"channel":"a","data":"b"}'],
      ['multipart/form-data; boundary=x', '--x--'],
      ['application/jsonp', '{"channel":"a","data":"b"}'],
    ] as const) {
      expect(await publish(body, { 'content-type': type })).toMatchObject({ status: 415 });
    }
    expect(
      await publish('{"channel":"a","data":"c"}', {
        'content-type': 'Application/JSON; charset=utf-8',
      }),
    ).toMatchObject({ status: 200 });
    expect(dataOf(await arrived(sse, 'a'))).toEqual(['c']);
  });

  it('refuses an event that is too large with 413', async () => {
    const { publish } = await startPublishApp(
      {},
      { adapter, options: { limits: { eventSize: 1_000 } } },
    );
    const large = { channel: 'a', data: 'x'.repeat(1_001) };
    expect(await publish(large)).toMatchObject({
      status: 413,
      body: { code: 'EVENT_TOO_LARGE', message: expect.stringContaining('1001') },
    });
    expect(await publish({ events: [large, { channel: 'a', data: 'x' }] })).toMatchObject({
      status: 207,
      body: { results: [{ error: { statusCode: 413 } }, { status: 'sent' }] },
    });
  });

  it('refuses two keys, and a key of the header that cannot be one', async () => {
    const { publish, sse } = await start();
    const event = { channel: 'keys', data: 'a', idempotencyKey: 'a' };
    expect(await publish(event, { 'idempotency-key': 'b' })).toMatchObject({
      status: 400,
      body: { code: 'INVALID_EVENT', message: expect.stringContaining('another in the header') },
    });
    for (const key of ['""', 'k'.repeat(257)]) {
      expect(await publish({ events: [event] }, { 'idempotency-key': key })).toMatchObject({
        status: 400,
        body: { code: 'INVALID_EVENT' },
      });
    }
    // The place makes it too long, but not for the event that has a key of its own.
    const { status, body } = await publish(
      { events: [event, { channel: 'keys', data: 'b' }] },
      { 'idempotency-key': 'k'.repeat(255) },
    );
    expect([status, body.results]).toMatchObject([
      207,
      [{ status: 'sent' }, { error: { code: 'INVALID_EVENT' } }],
    ]);
    expect(dataOf(await arrived(sse, 'keys'))).toEqual(['a']);
  });

  it('publishes to the channels that are listed, and checks typed ones', async () => {
    const { publish, sse } = await start({ channels: ['news', 'room:{name}', Job] });
    const { body, status } = await publish({
      events: [
        { channel: 'news', data: 'any' },
        { channel: 'room:lobby', data: 'any' },
        { channel: 'room:', data: 'any' },
        { channel: 'other', data: 'any' },
        { channel: 'job:1', data: { percent: 5 }, type: 'progress' },
        { channel: 'job:1', data: { text: 'x' }, type: 'message' },
        { channel: 'job:1', data: { text: 'y' } },
        { channel: 'job:1', data: { percent: 'secret' }, type: 'progress' },
        { channel: 'job:1', data: {}, type: 'unknown' },
        { channel: 'job:1', data: {}, type: 'toString' },
      ],
    });
    expect(status).toBe(207);
    const codes = body.results.map((result: { error?: { code: string } }) => result.error?.code);
    const invalid = 'INVALID_EVENT';
    const none = undefined;
    expect(codes).toEqual([
      none,
      none,
      'FORBIDDEN',
      'FORBIDDEN',
      none,
      none,
      none,
      invalid,
      invalid,
      invalid,
    ]);
    expect(body.results[7].error.issues).toEqual([
      { path: 'percent', message: expect.stringContaining('does not fit') },
    ]);
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(await publish({ channel: 'other', data: 'any' })).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN', message: expect.stringContaining('"other"') },
    });
    expect(await arrived(sse, 'job:1')).toEqual([
      expect.objectContaining({ type: 'progress', data: { percent: 5, unit: '%' } }),
      expect.not.objectContaining({ type: expect.anything() }),
      expect.not.objectContaining({ type: expect.anything() }),
    ]);
  });

  it('asks `authorize` about each event, and lets none pass that it does not allow', async () => {
    const asked: unknown[] = [];
    const { publish, sse } = await start({
      authorize: (request, channel, event) => {
        asked.push([request.headers.authorization, channel, event.type]);
        if (channel === 'throws') throw new Error('a secret');
        if (channel === 'rejects') return Promise.reject(new Error('a secret'));
        if (channel === 'refuses') throw new ForbiddenException('a secret');
        if (channel === 'text') return 'yes' as unknown as boolean;
        if (channel === 'nothing') return undefined as unknown as boolean;
        return channel === 'yes' ? Promise.resolve(true) : false;
      },
    });
    const names = ['yes', 'no', 'throws', 'rejects', 'refuses', 'text', 'nothing'];
    const { body } = await publish({
      events: names.map((channel) => ({ channel, data: 'a', type: 't' })),
    });
    expect(
      body.results.map(({ error }: { error?: object }) => error && Object(error).statusCode),
    ).toEqual([undefined, 403, 503, 503, 403, 503, 503]);
    expect(JSON.stringify(body)).not.toContain('a secret');
    expect(asked).toEqual(names.map((name) => [TOKEN.authorization, name, 't']));
    for (const name of names) {
      expect(dataOf(await arrived(sse, name))).toEqual(name === 'yes' ? ['a'] : []);
    }
    const alone = await publish({ channel: 'throws', data: 'a' });
    expect([alone.status, alone.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('answers with the highest status when no event of a list is sent', async () => {
    const { publish } = await start({ authorize: () => false });
    const event = { channel: 'a', data: 'a' };
    expect(await publish({ events: [event, event] })).toMatchObject({ status: 403 });
    expect(await publish({ events: [event, { channel: '' }] })).toMatchObject({ status: 403 });
  });

  it('refuses a channel whose clients receive something else', async () => {
    @Injectable()
    @Controller()
    class Streams {
      @Sse('key/:id')
      @SseChannel('key:{id}', { source: 'cache' })
      key() {}

      @Sse('both')
      @SseChannel('both', { source: 'cache' })
      both() {}

      @Sse('both-sent')
      @SseChannel('both')
      bothSent() {}

      @Sse('run/:id')
      @SseChannel('chat:{id}', { run: true })
      run() {}

      @Sse('requested')
      @SseChannel(requestedChannels({ only: ['plain', { channel: 'own', source: 'cache' }] }))
      requested() {}
    }
    const { publish } = await startPublishApp({}, { adapter, controllers: [Streams] });
    const names = ['key:1', 'both', 'chat:1', 'plain', 'own', 'no endpoint'];
    const { body } = await publish({ events: names.map((channel) => ({ channel, data: 'a' })) });
    expect(body.results.map(({ error }: { error?: { code: string } }) => error?.code)).toEqual([
      'INVALID_CHANNEL',
      undefined,
      'INVALID_CHANNEL',
      undefined,
      'INVALID_CHANNEL',
      undefined,
    ]);
    expect(body.results[0].error.message).toContain("the source 'cache'");
  });
});
