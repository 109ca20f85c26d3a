import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { afterEach, describe, expect, it } from '@jest/globals';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { z } from 'zod';
import { defineChannel } from '../../lib/index.js';
import type { SsePublishOptions, SsePublishRoute } from '../../lib/publish/index.js';
import { describeSseChannels } from '../../lib/swagger/index.js';
import { startPublishApp, TokenGuard, type PublishApp } from '../publish/app.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { complaintsOf } from './compiled.js';
import { expectValid, parametersOf, type OpenApi } from './open-api.js';

const Tree = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});

const Job = defineChannel('job:{id}', {
  // What is published need not have what the schema fills in.
  progress: z.object({ percent: z.number(), unit: z.string().default('%') }),
  tree: Tree,
  message: z.object({ text: z.string() }),
});

type Options = Partial<SsePublishOptions & SsePublishRoute>;

function documentOf({ app }: PublishApp, version: string) {
  const config = new DocumentBuilder().setOpenAPIVersion(version as '3.1.0').build();
  return describeSseChannels(app, () =>
    SwaggerModule.createDocument(app, config),
  ) as unknown as OpenApi;
}

const operationOf = async (options: Options, path = '/publish') =>
  documentOf(await startPublishApp(options), '3.1.0').paths[path]!['post']!;

afterEach(closeApps);

describe('A route that publishes in an OpenAPI document', () => {
  it.each(['3.0.0', '3.1.0', '3.2.0'])('is valid in %s', async (version) => {
    const app = await startPublishApp({ channels: ['news', Job], path: 'tenants/:tenant/publish' });
    const document = documentOf(app, version);
    await expectValid(document);
    const operation = document.paths['/tenants/{tenant}/publish']!['post']!;
    expect(parametersOf(operation)).toEqual(['path tenant', 'header Idempotency-Key']);
    expect(operation.summary).toBe('Publishes events');
  });

  it('gives openapi-typescript what a typed publisher compiles from', async () => {
    const app = await startPublishApp({ channels: ['news', Job] });
    const document = documentOf(app, '3.1.0');
    const generated = astToString(await openapiTypescript(document as never));
    const publisher = `
      import type { paths } from './generated.js';
      type Publish = paths['/publish']['post'];
      type Body = Publish['requestBody']['content']['application/json'];
      const bodies: Body[] = [
        { channel: 'news', data: { any: true }, type: 'any' },
        { channel: 'job:1', type: 'progress', data: { percent: 5 }, idempotencyKey: 'k' },
        { channel: 'job:1', data: { text: 'hi' } },
        { events: [{ channel: 'job:1', type: 'tree', data: { name: 'a', children: [] } }] },
      ];
      // @ts-expect-error no data
      bodies.push({ channel: 'news' });
      // @ts-expect-error no channel
      bodies.push({ events: [{ type: 'progress', data: { percent: 5 } }] });
      type Answer = Publish['responses']['200']['content']['application/json'];
      declare const answer: Answer;
      if ('results' in answer) {
        for (const result of answer.results) {
          const told: string = result.status === 'sent' ? result.id : result.error.message;
          void told;
        }
      } else {
        const duplicate: boolean = answer.duplicate;
        void duplicate;
      }
    `;
    expect(complaintsOf({ 'publisher.ts': publisher, 'generated.ts': generated })).toEqual([]);
  });

  it('tells its limits and who decides', async () => {
    const statuses = async (options: Options) =>
      Object.keys((await operationOf(options)).responses).map(Number);
    const all = [200, 207, 400, 401, 403, 413, 415, 429, 503];
    const without = (...left: number[]) => all.filter((status) => !left.includes(status));
    expect(await statuses({ limits: { eventsPerMinute: 5 } })).toEqual(all);
    expect(await statuses({})).toEqual(without(429));
    expect(await statuses({ guards: 'none' })).toEqual(without(401, 403, 429));
    expect(await statuses({ guards: 'none', authorize: () => true })).toEqual(without(401, 429));
    const { requestBody } = await operationOf({ limits: { eventsPerRequest: 7 } });
    expect(JSON.stringify(requestBody)).toContain('"maxItems":7');
  });

  it('is of each module that has one', async () => {
    const { SsePublishModule } = await import('../../lib/publish/index.js');
    const app = await startPublishApp(
      { channels: ['one'] },
      {
        imports: [
          SsePublishModule.forRootAsync({
            guards: [TokenGuard],
            path: 'other',
            useFactory: () => ({ channels: ['two'] }),
          }),
        ],
      },
    );
    const { paths } = documentOf(app, '3.1.0');
    expect(JSON.stringify(paths['/publish']!['post']!.requestBody)).toContain('`one`');
    expect(JSON.stringify(paths['/other']!['post']!.requestBody)).toContain('`two`');
  });
});

describe.each(ADAPTERS)('The statuses of a route that publishes on %s', (adapter) => {
  it('are those that it answers', async () => {
    const app = await startPublishApp(
      { channels: ['a', Job], limits: { eventsPerMinute: 30, eventsPerRequest: 9 } },
      { adapter },
    );
    const { responses } = documentOf(app, '3.1.0').paths['/publish']!['post']!;
    const good = { channel: 'a', data: 'b' };
    const many = (length: number) => Array.from({ length }, () => good);
    const answers = [
      await app.publish(good),
      await app.publish({ events: [good, {}] }),
      await app.publish({}),
      await app.publish({ ...good, channel: 'b' }),
      await app.publish({ events: many(10) }),
      await app.publish('a', { 'content-type': 'text/plain' }),
    ];
    for (let nth = 0; nth < 5; nth++) {
      answers.push(await app.publish({ events: many(9) }));
    }
    const answered = [...new Set(answers.map(({ status }) => status))].sort();
    expect(answered).toEqual([200, 207, 400, 403, 413, 415, 429]);
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(answered.map(String)));
    await closeApps();
  });
});
