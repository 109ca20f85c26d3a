import { afterEach, describe, expect, test } from '@jest/globals';
import { Injectable, Module, type CanActivate, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { SseModule } from '../../lib/index.js';
import { SseInspectorModule } from '../../lib/inspector/index.js';
import { SsePublishModule } from '../../lib/publish/index.js';
import { describeSseChannels } from '../../lib/swagger/index.js';
import { closeApps } from '../support/start-app.js';
import { askAt, startInspector } from './rig.js';

const apps: INestApplication[] = [];

afterEach(closeApps);
afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())));

/** Starts an application with these modules, without any help of the tests' own. */
async function start(imports: object[]): Promise<string> {
  @Module({ imports: imports as never })
  class AppModule {}
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return app.getUrl();
}

@Injectable()
class Doorman {
  readonly password = 'Bearer secret';
}

@Module({ providers: [Doorman], exports: [Doorman] })
class DoorModule {}

@Injectable()
class DoorGuard implements CanActivate {
  constructor(private readonly doorman: Doorman) {}

  canActivate(context: Parameters<CanActivate['canActivate']>[0]): boolean {
    const { headers } = context
      .switchToHttp()
      .getRequest<{ headers: { authorization?: string } }>();
    return headers.authorization === this.doorman.password;
  }
}
Reflect.defineMetadata('design:paramtypes', [Doorman], DoorGuard);

describe('the module', () => {
  test('is told what is missing', async () => {
    await expect(start([SseInspectorModule.forRoot({ guards: 'none' })])).rejects.toThrow(
      /needs SseModule/,
    );
    expect(() => SseInspectorModule.forRootAsync({ guards: 'none' })).toThrow(
      'SseInspectorModule.forRootAsync(): there is none of `useFactory`, `useClass` and `useExisting`.',
    );
    expect(() => SseInspectorModule.forRoot({ guards: 'none', showData: 'yes' as never })).toThrow(
      'SseInspectorModule.forRoot(): `showData` is "yes"; it must be true or false.',
    );
    const async = SseInspectorModule.forRootAsync({
      guards: 'none',
      useFactory: () => ({ sendd: true }) as never,
    });
    await expect(start([SseModule.forRoot(), async])).rejects.toThrow(
      'The factory of SseInspectorModule.forRootAsync(): there is no option `sendd`.',
    );
  });

  test.each([
    'a//b',
    '//a',
    'a//',
    '',
    'a?b',
    'a#b',
    'a/*',
    'a b',
    ' a',
    'a:b',
    'a/:',
    'a/{b}',
    'a(b)',
    '../a',
    'a/./b',
    'a%2Fb',
    'a\\b',
    'caf\u00e9',
  ])('refuses the path %j, which no request would reach', (path) => {
    const said = `\`path\` is ${JSON.stringify(path)}; it must be a path of names`;
    const route = { guards: 'none', path } as const;
    expect(() => SseInspectorModule.forRoot(route)).toThrow(said);
    expect(() => SseInspectorModule.forRootAsync({ ...route, useFactory: () => ({}) })).toThrow(
      said,
    );
    expect(() => SsePublishModule.forRoot(route)).toThrow(said);
  });

  test.each(['/admin/sse', 'admin/sse/', 'a.b-c_d~e/@f', '..a'])(
    'takes the path %j',
    async (path) => {
      const { ask } = await startInspector({ path });
      expect((await ask(`/${path}/channels`.replace(/\/+/g, '/'))).status).toBe(200);
    },
  );

  test('takes its options from a factory, and guards with providers of other modules', async () => {
    const url = await start([
      SseModule.forRoot(),
      SseInspectorModule.forRootAsync({
        guards: [DoorGuard],
        imports: [DoorModule],
        inject: [Doorman],
        useFactory: (doorman: Doorman) => ({ send: doorman.password.length > 0 }),
      }),
    ]);
    expect((await fetch(`${url}/inspector/channels`)).status).toBe(403);
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const sent = await askAt(`${url}/inspector/send`, {
      ...init,
      body: '{"channel":"news","data":1}',
    });
    expect([sent.status, typeof sent.body.id]).toEqual([200, 'string']);
  });

  test('stands beside an SseModule that is not global', async () => {
    const sse = SseModule.forRoot({ isGlobal: false });
    const url = await start([sse, SseInspectorModule.forRoot({ guards: 'none', imports: [sse] })]);
    expect((await fetch(`${url}/inspector/channels`)).status).toBe(200);
    const stop = new AbortController();
    const live = await fetch(`${url}/inspector/live`, { signal: stop.signal });
    expect(live.headers.get('content-type')).toContain('text/event-stream');
    expect(live.headers.get('x-content-type-options')).toBe('nosniff');
    stop.abort();
  });

  test('is not in the OpenAPI document', async () => {
    const { app } = await startInspector({ send: true });
    const document = describeSseChannels(app, () =>
      SwaggerModule.createDocument(app, new DocumentBuilder().build()),
    );
    expect(Object.keys(document.paths)).toEqual([]);
  });

  test('writes the address of a request as text', async () => {
    const { ask } = await startInspector({ path: 'of/:team' });
    const { status, text } = await ask("/of/it's&b:c");
    expect(status).toBe(200);
    expect(/src="([^"]*)"/.exec(text)![1]).toBe('./it&#39;s&amp;b:c/assets/main.js');
  });
});
