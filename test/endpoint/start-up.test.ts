import {
  Controller,
  HttpCode,
  Module,
  Redirect,
  Render,
  RequestMethod,
  Sse,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { of } from 'rxjs';
import { channelName, SseChannel, SseEvents, SseModule } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp, type AppOptions } from '../support/start-app.js';
import { until } from '../support/until.js';

@Controller('teams/:team')
class TeamsController {
  @Sse('jobs/:id')
  @SseChannel('team:{team}:job:{id}')
  known() {}
}

@Controller('teams/:team')
class MisspeltController {
  @Sse('misspelt/:id')
  @SseChannel('job:{jobId}')
  misspelt() {}
}

@Controller()
class TenantController {
  @Sse('events')
  @SseChannel('tenant:{tenant}')
  events() {}
}

@Controller({ host: ':tenant.localhost' })
class HostController {
  @Sse('events')
  @SseChannel('tenant:{tenant}')
  events() {}
}

@Controller()
class OptionalController {
  @Sse(['optional', 'optional/:id'] as never)
  @SseChannel('job:{id}')
  optional() {}
}

class OverridingController extends TeamsController {
  override known() {}
}
Controller('own/:team')(OverridingController);

function controllerWith(decorator: MethodDecorator): Type {
  @Controller()
  class DecoratedController {
    @Sse('events')
    @decorator
    @SseChannel('news')
    events() {}
  }
  return DecoratedController;
}

const forRoot = (): DynamicModule => SseModule.forRoot();

@Module({ imports: [forRoot()] })
class OrdersModule {}

@Module({ imports: [SseModule.forRoot({ retry: 1_000 })] })
class UsersModule {}

describe.each(ADAPTERS)('At start-up on %s', (adapter) => {
  afterEach(closeApps);

  const warningsOf = async (options: AppOptions) => {
    const warnings: string[] = [];
    const note = (): undefined => undefined;
    const app = await startApp({
      adapter,
      ...options,
      logger: {
        log: note,
        error: note,
        warn: (message: string) => void warnings.push(message),
      } as never,
    });
    return { ...app, warnings };
  };

  it('a placeholder that is no parameter of the path causes an error', async () => {
    await expect(startApp({ adapter, controllers: [MisspeltController] })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message:
        '@SseChannel() on MisspeltController.misspelt: the template "job:{jobId}" has {jobId}, and ' +
        "the route's path has no parameter :jobId. It has: team, id.",
    });
    await expect(startApp({ adapter, controllers: [TenantController] })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    });
  });

  it("a placeholder may stand in the controller's path, the global prefix, or the module's path", async () => {
    @Module({ controllers: [TenantController] })
    class TenantModule {}
    const [own, prefixed, routed] = [
      await warningsOf({ controllers: [TeamsController] }),
      await warningsOf({
        controllers: [TenantController],
        prepare: (app) => void app.setGlobalPrefix('of/:tenant'),
      }),
      await warningsOf({
        imports: [
          TenantModule,
          RouterModule.register([{ path: 'of/:tenant', module: TenantModule }]),
        ],
      }),
    ];
    for (const { warnings, connect, sse, path } of [
      { ...own, path: '/teams/a/jobs/1' },
      { ...prefixed, path: '/of/a/events' },
      { ...routed, path: '/of/a/events' },
    ]) {
      expect(warnings).toEqual([]);
      const client = await connect(path);
      await until(() => sse.stats().connections === 1);
      await sse.send(path.startsWith('/of') ? 'tenant:a' : 'team:a:job:1', 'here');
      expect((await client.next()).data).toBe('here');
    }
  });

  it('a placeholder that a request leaves out leads to 404', async () => {
    const { connect } = await startApp({ adapter, controllers: [OptionalController] });
    const client = await connect('/optional');
    expect(client.opened.status).toBe(404);
    expect((await connect('/optional/1')).opened.status).toBe(200);
  });

  it('a placeholder that is a wildcard of the path causes an error', async () => {
    @Controller()
    class FilesController {
      @Sse('files/*path')
      @SseChannel('file:{path}')
      files() {}
    }
    await expect(startApp({ adapter, controllers: [FilesController] })).rejects.toThrow(
      adapter === 'express'
        ? /FilesController\.files: the template "file:\{path\}" has \{path\}, and \*path of the route's path may match several/
        : 'Wildcard must be the last character in the route', // Fastify's router knows no such path.
    );
  });

  it('@SseEvents() without a channel causes an error', async () => {
    @Controller()
    class PlainController {
      @Sse('plain')
      plain(@SseEvents() events$: unknown) {
        return events$;
      }
    }
    @Controller()
    class NamelessController {
      @Sse('nameless')
      @SseChannel()
      nameless(@SseEvents() events$: unknown) {
        return events$;
      }
    }
    class InheritingController extends PlainController {}
    Controller('inheriting')(InheritingController);
    for (const [controller, message] of [
      [PlainController, /^PlainController\.plain has @SseEvents\(\) and no @SseChannel\(\)/],
      [InheritingController, /^InheritingController\.plain has @SseEvents\(\)/],
      [NamelessController, /an @SseChannel\(\) that names no channel, .* @SseChannel\('name'\)/],
    ] as const) {
      await expect(startApp({ adapter, controllers: [controller] })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(message),
      });
    }
  });

  it('a method that overrides one with @SseEvents() need not have it', async () => {
    class ParentController {
      @Sse('news')
      @SseChannel('news')
      news(@SseEvents() events$: unknown) {
        return events$;
      }
    }
    @Controller()
    class ChildController extends ParentController {
      @Sse('news')
      override news() {
        return of({ data: 'own' });
      }
    }
    const { connect } = await startApp({ adapter, controllers: [ChildController] });
    expect((await (await connect('/news')).next()).data).toBe('own');
  });

  it('a placeholder may stand in the host', async () => {
    const { warnings, connect, sse } = await warningsOf({ controllers: [HostController] });
    expect(warnings).toEqual([]);
    const client = await connect('/events', { headers: { host: 'acme.localhost' } });
    await until(() => sse.stats().connections === 1);
    await sse.send('tenant:acme', 'here');
    expect((await client.next()).data).toBe('here');
  });

  it.each([
    ['@HttpCode(202)', HttpCode(202)],
    ['@Redirect()', Redirect('/elsewhere')],
    ['@Render()', Render('page')],
  ])('%s on a stream causes an error', async (name, decorator) => {
    const failing = startApp({ adapter, controllers: [controllerWith(decorator)] });
    await expect(failing).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(`DecoratedController.events has @SseChannel() and ${name}`),
    });
  });

  it('@HttpCode(204) on the stream of a POST causes an error', async () => {
    @Controller()
    class PostController {
      @Sse('events', { method: RequestMethod.POST })
      @HttpCode(204)
      @SseChannel('news')
      events() {}
    }
    await expect(startApp({ adapter, controllers: [PostController] })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('@HttpCode(204)'),
    });
  });

  it('@HttpCode(200) on a stream is allowed, as it changes nothing', async () => {
    const app = await startApp({ adapter, controllers: [controllerWith(HttpCode(200))] });
    expect((await app.connect('/events')).opened.status).toBe(200);
  });

  it('a method without the decorator that overrides an endpoint causes a warning with its name', async () => {
    const { warnings } = await warningsOf({ controllers: [OverridingController] });
    expect(warnings).toEqual([
      'OverridingController.known overrides TeamsController.known without its @SseChannel(), and streams ' +
        'no channel. Repeat @Sse() and @SseChannel() on it, or give it another name.',
    ]);
  });

  it('a second forRoot() causes an error that names both', async () => {
    const failing = startApp({ adapter, imports: [OrdersModule, UsersModule] });
    await expect(failing).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/configured 3 times .*OrdersModule and UsersModule/),
    });
  });

  it('two applications in one process are possible', async () => {
    const [first, second] = [
      await startApp({ adapter, controllers: [TeamsController] }),
      await startApp({ adapter, controllers: [TeamsController] }),
    ];
    const client = await second.connect('/teams/a/jobs/1');
    await until(() => second.sse.stats().connections === 1);
    await first.sse.send('team:a:job:1', 'elsewhere');
    await second.sse.send('team:a:job:1', 'here');
    expect((await client.next()).data).toBe('here');
  });
});

describe('@SseChannel()', () => {
  it.each(['job:{id', 'job:id}', 'job:{{id}}', '{'])(
    'refuses the template %s, which has a brace too many',
    (template) => {
      const refused = expect.objectContaining({
        code: 'INVALID_CHANNEL',
        message: expect.stringContaining(template),
      });
      expect(() => SseChannel(template)({}, 'job', { value: () => undefined })).toThrow(refused);
      expect(() => channelName(template, { id: 1 })).toThrow(refused);
    },
  );

  it.each([{ source: 'cache' }, { interval: 1 }, { overflow: 'disconnect' }] as const)(
    'refuses %j without a channel',
    (options) => {
      const [name] = Object.keys(options);
      expect(() => {
        class NoChannelController {
          @SseChannel(undefined, options)
          news() {}
        }
        return NoChannelController;
      }).toThrow(`NoChannelController.news: \`${name}\` has no effect without a channel`);
    },
  );

  it('refuses an unknown option', () => {
    const options = { overlfow: 'latest' } as object;
    expect(() => {
      class MisspeltOptionController {
        @SseChannel('news', options)
        news() {}
      }
      return MisspeltOptionController;
    }).toThrow(/MisspeltOptionController.news: there is no option `overlfow`. There are: source, /);
  });
});
