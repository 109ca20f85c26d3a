import {
  Injectable,
  Module,
  VersioningType,
  VERSION_NEUTRAL,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE, NestFactory, RouterModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { map } from 'rxjs';
import { SseModule, SseService } from '../../lib/index.js';
import { SsePublishModule } from '../../lib/publish/index.js';
import { arrived, dataOf } from '../once/arrived.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { publishTo, startPublishApp, TOKEN, TokenGuard, type Asked } from './app.js';

const event = { channel: 'nest', data: { a: 1 } };

/** Takes everything away that a class has not told of, as a ValidationPipe with `whitelist` does. */
class WhitelistPipe implements PipeTransform {
  transform(value: unknown) {
    return typeof value === 'object' ? {} : value;
  }
}

describe.each(ADAPTERS)('SsePublishModule in Nest on %s', (adapter) => {
  afterEach(closeApps);

  it('stands behind a global prefix, a version and a path of a router module', async () => {
    const publishing = SsePublishModule.forRoot({
      guards: [TokenGuard],
      path: 'events/publish',
      version: '2',
    });
    @Module({ imports: [publishing] })
    class Outer {}
    const app = await startApp({
      adapter,
      imports: [
        Outer,
        SsePublishModule.forRoot({ guards: [TokenGuard], version: VERSION_NEUTRAL }),
        SsePublishModule.forRoot({ guards: [TokenGuard], path: 'plain' }),
        RouterModule.register([{ path: 'inner', module: SsePublishModule }]),
      ],
      prepare: (nest) => {
        nest.setGlobalPrefix('api');
        nest.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
      },
    });
    const statuses: Record<string, number> = {};
    for (const path of [
      '/api/v2/inner/events/publish',
      '/api/inner/publish',
      '/api/v1/inner/plain',
      '/publish',
      '/api/v2/inner/publish',
    ]) {
      statuses[path] = (await publishTo(app, event, TOKEN, path)).status;
    }
    expect(statuses).toEqual({
      '/api/v2/inner/events/publish': 200,
      '/api/inner/publish': 200,
      '/api/v1/inner/plain': 200,
      '/publish': 404,
      '/api/v2/inner/publish': 404,
    });
  });

  it('keeps its body whatever global pipes do, and has what global interceptors make of it', async () => {
    @Injectable()
    class Wrapping implements NestInterceptor {
      intercept(_: ExecutionContext, next: CallHandler) {
        return next.handle().pipe(map((wrapped: object) => ({ wrapped })));
      }
    }
    const { publish, sse } = await startPublishApp(
      {},
      {
        adapter,
        providers: [
          { provide: APP_PIPE, useClass: WhitelistPipe },
          { provide: APP_INTERCEPTOR, useClass: Wrapping },
        ],
      },
    );
    expect(await publish(event)).toMatchObject({
      status: 200,
      body: { wrapped: { id: expect.any(String), duplicate: false } },
    });
    expect(await publish({ events: [event, {}] })).toMatchObject({
      status: 207,
      body: { wrapped: { results: [{ status: 'sent' }, { status: 'failed' }] } },
    });
    expect((await arrived(sse, 'nest')).map(({ data }) => data)).toEqual([{ a: 1 }, { a: 1 }]);
  });

  it('may leave access to a global guard, and gives guards the providers of other modules', async () => {
    @Injectable()
    class Secrets {
      readonly header = 'Bearer secret';
    }
    @Module({ providers: [Secrets], exports: [Secrets] })
    class SecretsModule {}
    @Injectable()
    class SecretGuard implements CanActivate {
      constructor(private readonly secrets: Secrets) {}

      canActivate(context: ExecutionContext) {
        const { headers } = context.switchToHttp().getRequest<Asked>();
        return headers['authorization'] === this.secrets.header;
      }
    }
    const wrong = { authorization: 'Bearer guess' };
    for (const app of [
      await startApp({
        adapter,
        imports: [SsePublishModule.forRoot({ guards: [SecretGuard], imports: [SecretsModule] })],
      }),
      await startApp({
        adapter,
        imports: [SsePublishModule.forRoot({ guards: 'none' })],
        providers: [{ provide: APP_GUARD, useClass: TokenGuard }],
      }),
      await startApp({
        adapter,
        imports: [SsePublishModule.forRoot({ guards: [new TokenGuard()] })],
      }),
    ]) {
      expect((await publishTo(app, event)).status).toBe(200);
      expect((await publishTo(app, event, wrong)).status).toBe(403);
    }
  });

  it('takes options of a factory, a class, and a provider', async () => {
    class Options {
      createSsePublishOptions() {
        return { channels: ['nest'] };
      }
    }
    @Module({ providers: [Options], exports: [Options] })
    class OptionsModule {}
    for (const source of [
      {
        imports: [OptionsModule],
        inject: [Options],
        useFactory: (options: Options) => options.createSsePublishOptions(),
      },
      { useClass: Options },
      { imports: [OptionsModule], useExisting: Options },
    ]) {
      const app = await startApp({
        adapter,
        imports: [SsePublishModule.forRootAsync({ guards: [TokenGuard], path: 'made', ...source })],
      });
      expect((await publishTo(app, event, {}, '/made')).status).toBe(200);
      expect((await publishTo(app, { ...event, channel: 'b' }, {}, '/made')).status).toBe(403);
    }
  });

  it('finds a SseModule that is not global', async () => {
    const app = await startApp({
      adapter,
      options: { isGlobal: false } as object,
      imports: [SsePublishModule.forRoot({ guards: [TokenGuard] })],
    });
    expect((await publishTo(app, event)).status).toBe(200);
    expect(dataOf(await arrived(app.app.get(SseService), 'nest'))).toHaveLength(1);
  });
});

describe('SsePublishModule', () => {
  it.each<[what: string, options: object, says: string]>([
    ['without guards', {}, 'there are no `guards`'],
    ['with guards that are undefined', { guards: undefined }, 'there are no `guards`'],
    ['without any guard in the list', { guards: [] }, '`guards` is an array'],
    ['with another word', { guards: 'nobody' }, '`guards` is "nobody"'],
    ['with null for a guard', { guards: [null] }, '`guards` is an array'],
    ['with no path', { guards: 'none', path: '' }, '`path`'],
    ['with no channel in the list', { guards: 'none', channels: [] }, '`channels`'],
    ['with no channel', { guards: 'none', channels: [undefined] }, 'undefined in it'],
    ['with a lone brace', { guards: 'none', channels: ['a{b'] }, 'brace'],
    [
      'with a limit beyond 10,000',
      { guards: 'none', limits: { eventsPerRequest: 10_001 } },
      '10000',
    ],
    ['with a misspelt option', { guards: 'none', authorise: () => true }, '`authorise`'],
  ])('refuses to start %s', (_, options, says) => {
    expect(() => SsePublishModule.forRoot(options as never)).toThrow(says);
  });

  it('refuses to be made without guards, or without a factory', async () => {
    const useFactory = () => ({});
    expect(() => SsePublishModule.forRootAsync({ useFactory } as never)).toThrow('no `guards`');
    expect(() => SsePublishModule.forRootAsync({ guards: 'none' })).toThrow('`useFactory`');
    const wrong = SsePublishModule.forRootAsync({
      guards: 'none',
      useFactory: () => ({ channel: ['a'] }) as object,
    });
    await expect(
      Test.createTestingModule({ imports: [SseModule.forRoot(), wrong] })
        .setLogger(false as never)
        .compile(),
    ).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('The factory of SsePublishModule.forRootAsync(): '),
    });
  });

  it('tells that it needs SseModule', async () => {
    @Module({ imports: [SsePublishModule.forRoot({ guards: 'none' })] })
    class Alone {}
    const app = await NestFactory.create(Alone, { logger: false });
    await expect(app.init()).rejects.toMatchObject({
      code: 'NOT_CONFIGURED',
      message: expect.stringContaining('SseModule.forRoot()'),
    });
    await app.close().catch(() => undefined);
  });
});
