import {
  Controller,
  Injectable,
  Sse,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { afterEach, describe, expect, it } from '@jest/globals';
import { channelName, SseChannel } from '../../lib/index.js';
import { describeSseChannels } from '../../lib/swagger/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import type { OpenApi } from './open-api.js';

interface Asked {
  readonly query: Record<string, string>;
}

@Injectable()
class SomeGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    return context.switchToHttp().getRequest<Asked>().query['refuse'] === undefined;
  }
}

/** Long enough that an id can make it too long. */
const TEMPLATE = `${'t'.repeat(1_000)}:{id}`;

@Controller('answers')
class AnswersController {
  @Sse('template/:id')
  @SseChannel(TEMPLATE)
  template() {}

  @Sse('resolver')
  @UseGuards(SomeGuard)
  @SseChannel<Asked>(({ query }) => (query['names'] ?? '').split(',').filter(Boolean), {
    client: ({ query }) => query['client'],
    expires: ({ query }) =>
      query['expired'] === undefined ? undefined : new Date(1_100_000_000_000),
  })
  resolver() {}

  @Sse('authorized')
  @SseChannel('authorized', { authorize: () => false })
  authorized() {}
}

describe.each(ADAPTERS)('The OpenAPI document on %s', (adapter) => {
  afterEach(closeApps);

  it('describes what endpoints answer, status by status', async () => {
    const { app, sse, connect } = await startApp({
      adapter,
      controllers: [AnswersController],
      options: { limits: { connectionsPerClient: 1 } },
    });
    const config = new DocumentBuilder().setOpenAPIVersion('3.2.0').build();
    const { paths } = describeSseChannels(app, () =>
      SwaggerModule.createDocument(app, config),
    ) as unknown as OpenApi;
    const described = (path: string) => Object.keys(paths[path]!['get']!.responses).map(Number);
    const answered = async (path: string) => {
      const { opened } = await connect(`/answers/${path}`);
      return opened.status;
    };

    const one = await connect('/answers/template/1');
    const position = await until(() => one.lastEventId);
    expect(one.opened.headers['content-type']).toBe('text/event-stream');
    const other = await connect('/answers/resolver?names=a&client=one');
    await until(() => other.lastEventId);
    const tooMany = await answered('resolver?names=a&client=one');
    await sse.complete(channelName(TEMPLATE, { id: 1 }));
    await one.closed;
    const end = one.lastEventId!;
    expect(end).not.toBe(position);
    const ofTemplate = [
      one.opened.status,
      await answered(`template/1?lastEventId=${encodeURIComponent(end)}`),
      await answered(`template/${'x'.repeat(30)}`),
    ];
    expect(ofTemplate).toEqual([200, 204, 400]);
    const ofResolver = [
      other.opened.status,
      await answered(`resolver?names=${'x'.repeat(1_100)}`),
      await answered('resolver?expired&names=a'),
      await answered('resolver?refuse&names=a'),
      await answered('resolver'),
      tooMany,
    ];
    expect(ofResolver).toEqual([200, 400, 401, 403, 404, 429]);
    expect(await answered('authorized')).toBe(403);
    expect(described('/answers/authorized')).toEqual([200, 204, 403, 429]);
    // 429 is of the limit of a client, which counts for every endpoint.
    expect(described('/answers/template/{id}')).toEqual([...ofTemplate, 429]);
    expect(described('/answers/resolver')).toEqual([200, 204, 400, 401, 403, 404, 429]);
  });
});
