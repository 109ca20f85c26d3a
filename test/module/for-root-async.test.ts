import {
  Controller,
  Global,
  Inject,
  Injectable,
  Module,
  Sse,
  type DynamicModule,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { SseChannel, SseModule, SseService, type SseModuleOptions } from '../../lib/index.js';
import { SseTestClient } from '../../lib/testing/index.js';
import { createDatabase, createRedis } from '../support/databases.js';
import { until } from '../support/until.js';
import type { INestApplication } from '@nestjs/common';

const NAME = Symbol('NAME');

@Module({ providers: [{ provide: NAME, useValue: 160 }], exports: [NAME] })
class ConfigModule {}

@Injectable()
class Factory {
  createSseOptions(): SseModuleOptions {
    return { retry: 640 };
  }
}

@Injectable()
class AsyncFactory {
  constructor(@Inject(NAME) private readonly retry: number) {}

  createSseOptions(): Promise<SseModuleOptions> {
    return Promise.resolve({ retry: this.retry });
  }
}

class NoFactory {}

@Module({ providers: [Factory], exports: [Factory] })
class FactoryModule {}

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

@Module({ controllers: [NewsController] })
class NewsModule {}

describe('SseModule', () => {
  const apps: INestApplication[] = [];

  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  const start = async (...imports: NonNullable<DynamicModule['imports']>) => {
    const module = await Test.createTestingModule({ imports })
      .setLogger(false as never)
      .compile();
    const app = module.createNestApplication({ logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    return app;
  };

  /** Checks the reconnection time that clients are told: it is spread by half to either side. */
  const expectRetry = async (app: INestApplication, retry: number) => {
    const client = await SseTestClient.connect(app, '/news');
    await client.close();
    expect(client.retry).toBeGreaterThanOrEqual(retry / 2);
    expect(client.retry).toBeLessThanOrEqual(retry * 1.5);
  };

  it.each([
    ['useFactory', { useFactory: () => ({ retry: 10 }) }, 10],
    ['an async useFactory', { useFactory: () => Promise.resolve({ retry: 40 }) }, 40],
    [
      'useFactory, inject and imports',
      { imports: [ConfigModule], inject: [NAME], useFactory: (retry: number) => ({ retry }) },
      160,
    ],
    ['useClass', { useClass: Factory }, 640],
    ['useClass with imports', { imports: [ConfigModule], useClass: AsyncFactory }, 160],
    ['useExisting', { imports: [FactoryModule], useExisting: Factory }, 640],
    [
      'extraProviders',
      {
        inject: [NAME],
        useFactory: (retry: number) => ({ retry }),
        extraProviders: [{ provide: NAME, useValue: 12_000 }],
      },
      12_000,
    ],
  ])('takes its options from %s', async (_, options, retry) => {
    const app = await start(SseModule.forRootAsync(options), NewsModule);
    await expectRetry(app, retry);
  });

  it('refuses wrong options of a factory at the start', async () => {
    await expect(
      start(SseModule.forRootAsync({ useFactory: () => ({ retry: -1 }) })),
    ).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('`retry`'),
    });
    await expect(
      start(SseModule.forRootAsync({ useFactory: () => Promise.reject(new Error('No file.')) })),
    ).rejects.toThrow('No file.');
  });

  it.each([
    ['forRoot(null)', () => SseModule.forRoot(null!), /SseModule.forRoot\(\): `options` is null/],
    ['forRoot([])', () => SseModule.forRoot([] as never), /`options` is an array/],
    [
      'forRootAsync() whose factory returns null',
      () => SseModule.forRootAsync({ useFactory: () => null! }),
      /The factory of SseModule.forRootAsync\(\): `options` is null; it must be an object/,
    ],
    [
      'forRootAsync() whose factory returns nothing',
      () => SseModule.forRootAsync({ useFactory: () => undefined! }),
      /The factory of SseModule.forRootAsync\(\): `options` is undefined/,
    ],
    ['forRootAsync(null)', () => SseModule.forRootAsync(null!), /`options` is null/],
    [
      'forRootAsync({})',
      () => SseModule.forRootAsync({}),
      /there is none of `useFactory`, `useClass` and `useExisting`/,
    ],
    [
      'forRoot() with a promise',
      () => SseModule.forRoot(Promise.resolve({ retry: 1 }) as never),
      /`options` is a promise; it must be an object\. Await it/,
    ],
    [
      'forRoot() with other extraProviders than an array',
      () => SseModule.forRoot({ extraProviders: {} } as never),
      /`extraProviders` is an object; it must be an array of providers/,
    ],
    [
      'forRootAsync() with two makers of options',
      () => SseModule.forRootAsync({ useFactory: () => ({}), useClass: Factory }),
      /there are `useFactory` and `useClass`\. Give one/,
    ],
    [
      'forRootAsync() with a class that makes none',
      () => SseModule.forRootAsync({ useClass: NoFactory as never }),
      /^SseModule\.forRootAsync\(\): NoFactory has no method createSseOptions\(\)/,
    ],
    [
      'forRootAsync() with a provider that makes none',
      () =>
        SseModule.forRootAsync({
          useExisting: NAME as never,
          extraProviders: [{ provide: NAME, useValue: {} }],
        }),
      /Object has no method createSseOptions\(\)/,
    ],
    [
      'forRootAsync() with a misspelt option',
      () => SseModule.forRootAsync({ usefactory: () => ({}) } as never),
      /there is no option `usefactory`/,
    ],
  ])('refuses %s with a plain error', async (_, configure, message) => {
    const starting = (async () => start(configure()))();
    await expect(starting).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(message),
    });
  });

  it.each([[[]], [[SseModule.forRoot()]]])(
    'refuses an import without forRoot() with an error that names the module: beside %j',
    async (others) => {
      @Module({ imports: [SseModule] })
      class FeatureModule {}
      await expect(start(FeatureModule, ...others)).rejects.toMatchObject({
        code: 'NOT_CONFIGURED',
        message: expect.stringMatching(
          /imported without forRoot\(\), in the imports of FeatureModule\. Call SseModule\.forRoot\(\) once/,
        ),
      });
    },
  );

  it("leads to an error of @SseChannel(), and to Nest's own for SseService, when it is missing", async () => {
    await expect(start(NewsModule)).rejects.toMatchObject({
      code: 'NOT_CONFIGURED',
      message: expect.stringMatching(
        /@SseChannel\(\) needs SseModule.*Call SseModule\.forRoot\(\)/,
      ),
    });
    @Injectable()
    class NewsService {
      constructor(readonly sse: SseService) {}
    }
    @Module({ providers: [NewsService] })
    class ServiceModule {}
    await expect(start(ServiceModule)).rejects.toThrow(/NewsService.*SseService.*ServiceModule/s);
  });

  it('is not called missing when it fails to start', async () => {
    await expect(start(SseModule.forRoot({ redis: 'nonsense' }), NewsModule)).rejects.toMatchObject(
      {
        code: 'INVALID_OPTION',
        message: expect.stringContaining('`redis`'),
      },
    );
  });

  it('works without any option', async () => {
    await expectRetry(await start(SseModule.forRoot(), NewsModule), 3_000);
  });

  it.each([
    ['forRoot', SseModule.forRoot({ isGlobal: false })],
    ['forRootAsync', SseModule.forRootAsync({ isGlobal: false, useFactory: () => ({}) })],
  ])('of %s is available only where it is imported with isGlobal: false', async (_, sse) => {
    await expect(start(sse, NewsModule)).rejects.toThrow(
      /@SseChannel\(\) needs SseModule.*isGlobal/,
    );
    @Module({ imports: [sse], controllers: [NewsController] })
    class ImportingModule {}
    await expectRetry(await start(ImportingModule), 3_000);
  });

  it('can be exported again by a global module', async () => {
    const sse = SseModule.forRoot({ isGlobal: false, retry: 7 });
    @Global()
    @Module({ imports: [sse], exports: [sse] })
    class SharedModule {}
    await expectRetry(await start(SharedModule, NewsModule), 7);
  });

  it('does not close clients of the application', async () => {
    const server = await createRedis();
    const database = await createDatabase();
    const redis = new Redis(server.url);
    const postgres = new pg.Client(database.url);
    const pool = new pg.Pool({ connectionString: database.url });
    await postgres.connect();
    try {
      for (const given of [postgres, pool]) {
        const app = await start(SseModule.forRoot({ redis, postgres: given }));
        const sse = app.get(SseService);
        const received: string[] = [];
        const subscription = sse
          .streamPostgres<string>('c')
          .subscribe(({ data }) => received.push(data));
        await until(async () => {
          await sse.notify('c', 'event');
          return received.length > 0;
        });
        await sse.sendKey('k', 'value');
        subscription.unsubscribe();
        await app.close();
        expect((await given.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
        expect(await redis.ping()).toBe('PONG');
      }
      // A session that has ended is listed until its process is gone.
      await until(async () => {
        const left = await postgres.query(
          "select pid from pg_stat_activity where datname = current_database() and query like '%LISTEN%' and pid <> pg_backend_pid()",
        );
        return left.rows.length === 0;
      });
    } finally {
      redis.disconnect();
      await postgres.end();
      await pool.end();
      await server.drop();
      await database.drop();
    }
  });
});
