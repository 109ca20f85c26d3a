import {
  Controller,
  Get,
  HttpCode,
  Injectable,
  Module,
  Param,
  ParseIntPipe,
  RequestMethod,
  Sse,
  UseGuards,
  VersioningType,
  type CanActivate,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import {
  ApiExcludeEndpoint,
  ApiExtension,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiProperty,
  ApiResponse,
  DocumentBuilder,
  SwaggerModule,
  type SwaggerDocumentOptions,
} from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { EMPTY } from 'rxjs';
import {
  requestedChannels,
  SseChannel,
  SseModule,
  SseTicketGuard,
  type SseModuleOptions,
} from '../../lib/index.js';
import { describeSseChannels } from '../../lib/swagger/index.js';
import { removeBlocks, runBlock } from '../docs/run-block.js';
import { ADAPTERS, closeApps, startApp, type Adapter } from '../support/start-app.js';
import { expectValid, parametersOf, POSITION, type OpenApi } from './open-api.js';

const VERSIONS = ['3.0.0', '3.1.0', '3.2.0'];

@Injectable()
class Nobody implements CanActivate {
  canActivate() {
    return false;
  }
}

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels({ limit: 50, only: ['news', 'job:{id}'] }))
  stream() {}
}

@Controller('jobs')
class JobsController {
  @Sse(':id/events')
  @SseChannel('job:{id}')
  job(@Param('id', ParseIntPipe) _id: number) {}

  @Sse(':id/of/:owner')
  @SseChannel('job:{id}')
  owned() {}

  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('mine')
  @UseGuards(Nobody)
  @SseChannel(() => ['one', 'two'], { expires: () => undefined })
  mine() {}

  @Sse('ticketed')
  @UseGuards(SseTicketGuard)
  @SseChannel('ticketed')
  ticketed() {}

  @Sse('key', { method: RequestMethod.POST })
  @SseChannel('key', { source: 'cache', doneSignal: false })
  key() {}

  @Sse('accepted', { method: RequestMethod.POST })
  @HttpCode(202)
  @SseChannel()
  accepted() {
    return EMPTY;
  }

  @Sse('plain')
  plain() {
    return EMPTY;
  }

  @Get('list')
  list() {
    return [];
  }

  @Sse('hidden')
  @ApiExcludeEndpoint()
  @SseChannel('hidden')
  hidden() {}
}

class Progress {
  @ApiProperty()
  percent!: number;
}

@Controller('typed')
class TypedController {
  @Sse('class')
  @SseChannel('typed')
  @ApiOkResponse({ type: Progress })
  typed() {}

  @Sse('object')
  @SseChannel('object')
  @ApiOkResponse({ type: Object })
  object() {}

  @Sse('produced')
  @SseChannel('produced')
  @ApiProduces('text/event-stream')
  @ApiOkResponse({ type: Progress })
  produced() {}
}

@Controller(['first', 'second'])
class AliasController {
  @Sse(':id')
  @SseChannel('alias:{id}')
  alias() {}
}

/** One of its paths lacks the parameter of the template. */
@Controller(['third/:id', 'fourth'])
class PartlyController {
  @Sse('events')
  @SseChannel('partly:{id}')
  partly() {}
}

@Controller('any')
class AnyController {
  @Sse('', { method: RequestMethod.ALL })
  @SseChannel('any')
  any() {}
}

@Controller('own/:id')
class OwnWordsController {
  @Sse()
  @SseChannel('own:{id}')
  @ApiOperation({ summary: 'Mine', description: 'All mine' })
  @ApiParam({ name: 'id', description: 'my id' })
  @ApiHeader({ name: 'last-event-id', description: 'my header' })
  @ApiOkResponse({
    description: 'my stream',
    content: { 'text/event-stream': { schema: { type: 'string' }, example: 'mine' } },
  })
  @ApiResponse({ status: 400, description: 'my 400' })
  @ApiResponse({ status: 418, description: 'a teapot' })
  @ApiExtension('x-mine', { is: 'kept' })
  own() {}
}

const documentOf = (app: INestApplication, version = '3.1.0', options?: SwaggerDocumentOptions) => {
  const config = new DocumentBuilder().setTitle('Test').setOpenAPIVersion(version).build();
  const create = () => SwaggerModule.createDocument(app, config, options);
  return {
    described: describeSseChannels(app, create) as unknown as OpenApi,
    plain: create() as unknown as OpenApi,
  };
};

const start = (adapter: Adapter, controllers: Type[], options?: SseModuleOptions) =>
  startApp({ adapter, controllers, ...(options && { options }) });

describe.each(ADAPTERS)('The OpenAPI document on %s', (adapter) => {
  afterEach(closeApps);

  it.each(VERSIONS)('is valid as %s, and describes each endpoint', async (version) => {
    const { app } = await start(adapter, [JobsController, AliasController, OwnWordsController]);
    const { described, plain } = documentOf(app, version);
    await expectValid(described);
    const { paths } = described;
    expect(Object.keys(paths)).toEqual(Object.keys(plain.paths));
    expect(JSON.stringify(described)).not.toMatch(/x-sse/);

    const job = paths['/jobs/{id}/events']!['get']!;
    expect(parametersOf(job)).toEqual(['path id', ...POSITION]);
    // What the handler tells of its parameters is more than we know.
    expect(job.parameters[0]).toMatchObject({ required: true, schema: { type: 'number' } });
    expect(Object.keys(job.responses)).toEqual(['200', '204', '400']);
    expect(job.responses['200']!.description).toMatch(/^Events of the channel `job:\{id\}`, as/);
    expect(job.responses['200']!.content).toEqual({
      'text/event-stream':
        version === '3.2.0'
          ? {
              itemSchema: expect.objectContaining({
                type: 'object',
                required: ['data'],
                properties: {
                  event: expect.objectContaining({ type: 'string' }),
                  data: expect.objectContaining({ type: 'string' }),
                  id: expect.objectContaining({ type: 'string' }),
                  retry: expect.objectContaining({ type: 'integer', minimum: 0 }),
                },
              }),
            }
          : { schema: { type: 'string' }, example: expect.stringMatching(/^event: .*\n\n$/s) },
    });

    const owned = paths['/jobs/{id}/of/{owner}']!['get']!;
    expect(parametersOf(owned)).toEqual(['path id', 'path owner', ...POSITION]);
    expect(owned.parameters[0]!.description).toContain('`job:{id}`');
    expect(owned.parameters[1]!.description).toBeUndefined();
    // Others are as they would be without us.
    for (const path of ['/jobs/plain', '/jobs/list']) {
      expect(paths[path]).toEqual(plain.paths[path]);
    }
    expect(paths['/jobs/hidden']).toBeUndefined();
  });

  it('lists the statuses that can come, and no others', async () => {
    const { app } = await start(adapter, [
      JobsController,
      AliasController,
      PartlyController,
      AnyController,
    ]);
    const { paths } = documentOf(app).described;
    const statuses = (path: string, method = 'get') =>
      Object.keys(paths[path]![method]!.responses).join(' ');
    expect(statuses('/jobs/news')).toBe('200 204');
    expect(statuses('/jobs/mine')).toBe('200 204 400 401 403 404');
    expect(statuses('/jobs/ticketed')).toBe('200 204 401 403 503');
    const ticketed = paths['/jobs/ticketed']!['get']!;
    expect(parametersOf(ticketed)).toEqual(['query ticket', ...POSITION]);
    expect(statuses('/jobs/key', 'post')).toBe('200');
    expect(statuses('/jobs/accepted', 'post')).toBe('202 204');
    expect(statuses('/first/{id}')).toBe('200 204 400');
    expect(statuses('/second/{id}')).toBe('200 204 400');
    expect(statuses('/third/{id}/events')).toBe('200 204 400');
    expect(statuses('/fourth/events')).toBe('200 204 400 404');
    expect(statuses('/any', 'put')).toBe('200 204');
    expect(paths['/any']!['get']!.responses['200']!.content).toBeDefined();
    expect(paths['/any']!['head']!.responses['200']!.content).toBeUndefined();
  });

  it.each(VERSIONS)('describes in %s how a request names its channels', async (version) => {
    const { app } = await start(adapter, [StreamController]);
    const { described } = documentOf(app, version);
    // Swagger itself writes an operation for each method of Nest, and OpenAPI does not know this one.
    delete described.paths['/stream']!['search'];
    await expectValid(described);
    const { get, post, head } = described.paths['/stream']!;
    expect(Object.keys(get!.responses)).toEqual(['200', '204', '400', '403']);
    expect(Object.keys(post!.responses)).toEqual(Object.keys(get!.responses));
    expect(get!.responses['200']!.description).toContain('that the request names');
    const inQuery = ['query channel', 'query ids', 'query earliest', 'query from', ...POSITION];
    expect([parametersOf(get!), parametersOf(head!)]).toEqual([inQuery, inQuery]);
    expect(get!.parameters[0]).toEqual({
      name: 'channel',
      in: 'query',
      required: true,
      description: 'The names of channels: `news`, `job:{id}`.',
      schema: { type: 'array', items: { type: 'string' }, maxItems: 50 },
    });
    expect(get!.requestBody).toBeUndefined();
    expect(parametersOf(post!)).toEqual(POSITION);
    const { schema } = post!.requestBody!.content['application/json']!;
    expect(schema.required).toEqual(['channels']);
    expect(Object.keys(schema.properties)).toEqual(['channels', 'ids', 'lastEventId', 'from']);
  });

  it('covers guards of all routes, and the limit of a client', async () => {
    const { app } = await startApp({
      adapter,
      controllers: [JobsController],
      options: { limits: { connectionsPerClient: 3 }, doneSignal: false, opening: 'frame' },
      prepare: (made) => made.useGlobalGuards(new Nobody()),
    });
    const { responses } = documentOf(app).described.paths['/jobs/news']!['get']!;
    expect(Object.keys(responses)).toEqual(['200', '204', '401', '403', '429']);
    expect(responses['200']!.description).not.toContain('sse:open');
  });

  it("keeps the application's own words", async () => {
    const { app } = await start(adapter, [OwnWordsController]);
    for (const version of VERSIONS) {
      const { described, plain } = documentOf(app, version);
      const own = described.paths['/own/{id}']!['get']!;
      const before = plain.paths['/own/{id}']!['get']!;
      expect(own).toMatchObject({
        summary: 'Mine',
        description: 'All mine',
        'x-mine': { is: 'kept' },
        responses: before.responses,
      });
      expect(Object.keys(own.responses)).toEqual(['200', '204', '400', '418']);
      expect(parametersOf(own)).toEqual(['header last-event-id', 'path id', 'query lastEventId']);
      expect(own.parameters.slice(0, 2)).toEqual(before.parameters);
    }
  });

  it('takes an @ApiResponse type without a content type as the type of the data', async () => {
    const { app } = await start(adapter, [TypedController]);
    const $ref = '#/components/schemas/Progress';
    for (const version of VERSIONS) {
      const { described, plain } = documentOf(app, version);
      await expectValid(described);
      const contentOf = ({ paths }: OpenApi, path: string) =>
        paths[path]!['get']!.responses['200']!.content as Record<string, object>;
      expect(contentOf(plain, '/typed/class')).toHaveProperty(['application/json']);
      const is32 = version === '3.2.0';
      const data = {
        type: 'string',
        contentMediaType: 'application/json',
        contentSchema: { $ref },
      };
      expect(contentOf(described, '/typed/class')).toEqual({
        'text/event-stream': is32
          ? {
              itemSchema: expect.objectContaining({
                properties: expect.objectContaining({ data }),
              }),
            }
          : { schema: { $ref } },
      });
      expect(contentOf(described, '/typed/object')).toEqual({
        'text/event-stream': is32
          ? { itemSchema: expect.anything() }
          : { schema: { type: 'string' }, example: expect.any(String) },
      });
      expect(JSON.stringify(contentOf(described, '/typed/object'))).not.toContain('contentSchema');
      expect(contentOf(described, '/typed/produced')).toEqual(contentOf(plain, '/typed/produced'));
    }
  });

  it('follows prefixes, versions, modules and other names of operations', async () => {
    @Controller({ path: 'versioned', version: ['1', '2'] })
    class VersionedController {
      @Sse(':id')
      @SseChannel('versioned:{id}')
      versioned() {}
    }
    @Module({ controllers: [VersionedController] })
    class VersionedModule {}
    const { app } = await startApp({
      adapter,
      controllers: [JobsController],
      imports: [
        VersionedModule,
        RouterModule.register([{ path: 'orgs/:org', module: VersionedModule }]),
      ],
      prepare: (made) => {
        made.setGlobalPrefix('api', { exclude: ['jobs/news'] });
        made.enableVersioning({ type: VersioningType.URI });
      },
    });
    const described = documentOf(app, '3.1.0', { operationIdFactory: () => 'same' }).described;
    expect(Object.keys(described.paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/orgs/{org}/versioned/{id}',
        '/api/v2/orgs/{org}/versioned/{id}',
        '/api/jobs/{id}/events',
        '/jobs/news',
      ]),
    );
    const { get } = described.paths['/api/v2/orgs/{org}/versioned/{id}']!;
    expect(parametersOf(get!)).toEqual(['path org', 'path id', ...POSITION]);
    await expectValid(documentOf(app).described);
    const bare = documentOf(app, '3.1.0', { ignoreGlobalPrefix: true }).described;
    expect(parametersOf(bare.paths['/jobs/{id}/events']!['get']!)).toContain('query lastEventId');
  });

  it('lists the parameters of a host, which are in no path', async () => {
    @Controller({ path: 'tenants', host: ':tenant.example.com' })
    class TenantsController {
      @Sse(':id')
      @SseChannel('tenant:{tenant}:{id}')
      tenant() {}
    }
    const { app } = await start(adapter, [TenantsController]);
    const { described } = documentOf(app);
    await expectValid(described);
    const { get } = described.paths['/tenants/{id}']!;
    expect(parametersOf(get!)).toEqual(['path id', ...POSITION]);
    expect(get!.responses['200']!.description).toContain(
      '`{tenant}` is a part of the host, `:tenant.example.com`.',
    );
  });

  it('can be made before the application has been initialised, as in a main.ts', async () => {
    const module = await Test.createTestingModule({
      imports: [SseModule.forRoot({})],
      controllers: [JobsController],
    }).compile();
    const app = module.createNestApplication();
    const { get } = documentOf(app).described.paths['/jobs/{id}/events']!;
    expect(parametersOf(get!)).toEqual(['path id', ...POSITION]);
    await app.close();
  });

  it('describes what a handler that several controllers inherit can answer', async () => {
    class Base {
      @Sse(':id')
      @SseChannel('base:{id}')
      events() {}
    }
    @Controller('open')
    class OpenController extends Base {}
    @Controller('guarded')
    @UseGuards(Nobody)
    class GuardedController extends Base {}
    const { app } = await start(adapter, [OpenController, GuardedController]);
    const { paths } = documentOf(app).described;
    for (const path of ['/open/{id}', '/guarded/{id}']) {
      expect(Object.keys(paths[path]!['get']!.responses)).toContain('403');
    }
  });
});

describe('describeSseChannels()', () => {
  afterEach(closeApps);
  afterAll(removeBlocks);

  it('serves the document in the way that docs/openapi.md shows', async () => {
    const { serveDocument } = await runBlock<{ serveDocument: (app: INestApplication) => void }>(
      'docs/openapi.md',
      'serveDocument',
    );
    const { url } = await startApp({ controllers: [JobsController], prepare: serveDocument });
    const response = await fetch(`${url}/api-json`);
    const { paths } = (await response.json()) as OpenApi;
    expect(paths['/jobs/news']!['get']!.responses['200']!.content).toHaveProperty([
      'text/event-stream',
      'itemSchema',
    ]);
    expect((await fetch(`${url}/api`)).status).toBe(200);
  });

  it('refuses a function that makes no document, and an application without the module', async () => {
    const { app } = await startApp({ controllers: [JobsController] });
    const call = (create: unknown) => () => describeSseChannels(app, create as () => never);
    expect(call({ openapi: '3.1.0' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/given an object in place of/),
      }),
    );
    expect(call(() => Promise.resolve())).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/returned a promise; it must/),
      }),
    );
    expect(call(() => undefined)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));

    @Controller()
    class PlainController {}
    const module = await Test.createTestingModule({ controllers: [PlainController] }).compile();
    const bare = module.createNestApplication();
    expect(() => documentOf(bare)).toThrow(expect.objectContaining({ code: 'NOT_CONFIGURED' }));
    await bare.close();
  });

  it('leaves nothing behind when making the document fails', async () => {
    const { app } = await startApp({ controllers: [JobsController, OwnWordsController] });
    const before = documentOf(app).plain;
    expect(() =>
      describeSseChannels(app, () => {
        throw new Error('no document today');
      }),
    ).toThrow('no document today');
    expect(documentOf(app).plain).toEqual(before);
    expect(JSON.stringify(before)).not.toContain('x-sse');
  });
});
