import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import openapiTypescript, { astToString } from 'openapi-typescript';
import * as v from 'valibot';
import { z } from 'zod';
import {
  defineChannel,
  requestedChannels,
  SseChannel,
  unchecked,
  type SseEventMap,
} from '../../lib/index.js';
import { describeSseChannels, type DescribeOptions } from '../../lib/swagger/index.js';
import { closeApps, startApp } from '../support/start-app.js';
import { complaintsOf } from './compiled.js';
import { expectValid, type OpenApi } from './open-api.js';

const Tree = z.object({
  name: z.string(),
  get children() {
    return z.array(Tree);
  },
});

const Job = defineChannel('job:{id}', {
  progress: z.object({ percent: z.number().default(0) }),
  message: z.string(),
  tree: z.object({ root: Tree }),
  arktype: type({ level: 'number' }),
  valibot: v.object({ word: v.string() }),
  date: z.object({ at: z.date() }),
  none: unchecked<{ any: number }>(),
});

/** The events of the module, all of them. */
const OWN_EVENTS: Record<keyof SseEventMap, true> = {
  'sse:open': true,
  'sse:channels': true,
  'sse:denied': true,
  'sse:reset': true,
  'sse:snapshot': true,
  'sse:join': true,
  'sse:leave': true,
  'sse:end': true,
  'sse:error': true,
  'sse:stopped': true,
};

const CHANNELS = requestedChannels({ only: ['news', Job] });

class Own {
  @ApiProperty()
  own!: number;
}

@Controller('jobs/:id')
class JobsController {
  @Sse('events')
  @SseChannel(Job)
  job() {}

  @Sse('key')
  @SseChannel(Job, { source: 'cache', doneSignal: false })
  key() {}

  @Sse('own')
  @SseChannel(Job)
  @ApiOkResponse({ type: Own })
  own() {}
}

/** As docs/requested-channels.md says: a method for GET and one for POST. */
@Controller('stream')
class StreamController {
  @Sse()
  @SseChannel(CHANNELS)
  byQuery() {}

  @Sse('', { method: RequestMethod.POST })
  @SseChannel(CHANNELS)
  byBody() {}
}

interface Described {
  readonly anyOf: {
    readonly required: string[];
    readonly properties: Record<string, { enum?: string[]; [name: string]: unknown }>;
  }[];
}

async function describedBy(version: string, options?: DescribeOptions) {
  const { app } = await startApp({ controllers: [JobsController, StreamController] });
  const config = new DocumentBuilder().setOpenAPIVersion(version as '3.1.0').build();
  const document = describeSseChannels(
    app,
    () => SwaggerModule.createDocument(app, config),
    options,
  ) as unknown as OpenApi & { readonly components: { schemas: Record<string, object> } };
  const mediaOf = (path: string) =>
    (document.paths[path]!['get']!.responses['200']!.content as Record<string, object>)[
      'text/event-stream'
    ] as { schema?: Described; itemSchema?: Described };
  const eventsOf = (path: string) => {
    const { schema, itemSchema } = mediaOf(path);
    return new Map(
      (schema ?? itemSchema)!.anyOf.map(({ properties, required }) => [
        `${properties['event']!.enum!.join()}${required.includes('event') ? '' : '?'}`,
        properties['data'],
      ]),
    );
  };
  return { document, mediaOf, eventsOf };
}

afterEach(closeApps);

describe('A typed channel in an OpenAPI document', () => {
  it('has the events of its definition in 3.1, with the schemas that libraries make', async () => {
    const { document, mediaOf, eventsOf } = await describedBy('3.1.0');
    await expectValid(document);
    expect(mediaOf('/jobs/{id}/events').itemSchema).toBeUndefined();
    const events = eventsOf('/jobs/{id}/events');
    expect([...events.keys()]).toEqual([
      'progress',
      'message?',
      'tree',
      'arktype',
      'valibot',
      'date',
      'none',
      Object.keys(OWN_EVENTS).join(),
    ]);
    expect(events.get('progress')).toMatchObject({
      type: 'object',
      properties: { percent: { type: 'number' } },
      required: ['percent'],
    });
    expect(events.get('arktype')).toMatchObject({ properties: { level: { type: 'number' } } });
    // JSON Schema cannot express them, or nobody makes it.
    expect(['valibot', 'date', 'none'].map((name) => events.get(name))).toEqual([{}, {}, {}]);
    // What was a reference within the schema is a component.
    const text = JSON.stringify(document);
    expect(text).not.toContain('$defs');
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(0);
    for (const [, name] of references) {
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
  });

  it('has the fields that are on the wire in 3.2', async () => {
    const { document, mediaOf, eventsOf } = await describedBy('3.2.0');
    await expectValid(document);
    expect(mediaOf('/jobs/{id}/events').schema).toBeUndefined();
    const events = eventsOf('/jobs/{id}/events');
    expect(events.get('progress')).toMatchObject({
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: { type: 'object', required: ['percent'] },
    });
    // The last of its name is the end of a run.
    const { anyOf } = mediaOf('/jobs/{id}/events').itemSchema!;
    const unnamed = anyOf.filter(({ properties }) =>
      properties['event']!.enum!.includes('message'),
    );
    expect(unnamed.map(({ properties }) => properties['data'])).toEqual([
      { type: 'string' },
      { type: 'string', enum: ['[DONE]'] },
    ]);
    const ofKey = mediaOf('/jobs/{id}/key').itemSchema!.anyOf;
    expect(JSON.stringify(ofKey)).not.toContain('[DONE]');
  });

  it('is valid in 3.0, where a library can do that', async () => {
    const { document, eventsOf } = await describedBy('3.0.0');
    await expectValid(document);
    const events = eventsOf('/jobs/{id}/events');
    expect(events.get('progress')).toMatchObject({ type: 'object', required: ['percent'] });
    expect(events.get('arktype')).toEqual({});
  });

  it('takes a converter of the application before those of the libraries', async () => {
    const targets = new Set<unknown>();
    const toJsonSchema: DescribeOptions['toJsonSchema'] = (schema, options) => {
      targets.add(options.target);
      return z.toJSONSchema(schema, { ...options, unrepresentable: 'any' });
    };
    const { document, eventsOf } = await describedBy('3.1.0', { toJsonSchema });
    await expectValid(document);
    const events = eventsOf('/jobs/{id}/events');
    expect(events.get('date')).toMatchObject({ type: 'object', required: ['at'] });
    // It throws for schemas of others, which may convert themselves.
    expect(events.get('arktype')).toMatchObject({ properties: { level: { type: 'number' } } });
    expect([...targets]).toEqual(['draft-2020-12']);
    const plain = await describedBy('3.1.0', { toJsonSchema: z.toJSONSchema });
    expect(plain.eventsOf('/jobs/{id}/events').get('progress')).toMatchObject({ type: 'object' });
  });

  it("leaves the application's own words", async () => {
    const { mediaOf } = await describedBy('3.1.0');
    expect(mediaOf('/jobs/{id}/own').schema).toEqual({ $ref: '#/components/schemas/Own' });
  });

  it.each([{ toJsonSchema: 'z' }, { toJSONSchema: z.toJSONSchema }])(
    'refuses wrong options: %p',
    async (options) => {
      await expect(describedBy('3.1.0', options as DescribeOptions)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('toJsonSchema'),
      });
    },
  );

  it('gives openapi-typescript what a typed client compiles from', async () => {
    const { document } = await describedBy('3.1.0');
    const generated = astToString(await openapiTypescript(document as never));
    const client = `
      import type { paths } from './generated.js';
      type Answer = paths['/jobs/{id}/events']['get']['responses']['200']['content'];
      declare const event: Answer['text/event-stream'];
      if (event.event === 'progress') {
        const percent: number = event.data.percent;
        // @ts-expect-error no such key
        event.data.percents;
        void percent;
      } else if (event.event === 'tree') {
        const name: string = event.data.root.children[0]!.children[0]!.name;
        void name;
      } else if (event.event === undefined || event.event === 'message') {
        const text: string = event.data;
        void text;
      }
      // @ts-expect-error no such event
      if (event.event === 'progres') {}
    `;
    expect(complaintsOf({ 'client.ts': client, 'generated.ts': generated })).toEqual([]);
  });

  it.each(['3.0.0', '3.1.0'])(
    'gives openapi-typescript what a client of requested channels compiles from, in %s',
    async (version) => {
      const { document } = await describedBy(version);
      await expectValid(document);
      const generated = astToString(await openapiTypescript(document as never));
      const client = `
        import type { paths } from './generated.js';
        type Stream = paths['/stream'];
        export const query: NonNullable<Stream['get']['parameters']['query']> = {
          channel: ['news', 'job:42'],
          ids: 'channel',
          lastEventId: 'abcdefgh:1',
          earliest: ['job:42'],
        };
        export const body: Stream['post']['requestBody']['content']['application/json'] = {
          channels: ['news', 'job:42'],
          ids: 'channel',
          from: { 'job:42': 'earliest' },
        };
        // @ts-expect-error no such form of ids
        query.ids = 'channels';
        // @ts-expect-error no such form of ids
        body.ids = 'channels';
        // @ts-expect-error names are texts
        body.channels = [42];
        type Answer = Stream['get' | 'post']['responses']['200']['content'];
        export const partOf = (stream: Answer['text/event-stream']) => stream;
      `;
      expect(complaintsOf({ 'client.ts': client, 'generated.ts': generated })).toEqual([]);
    },
  );
});
