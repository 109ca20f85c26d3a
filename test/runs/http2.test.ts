import { Controller, Param, RequestMethod, Sse } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, constants, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { BehaviorSubject } from 'rxjs';
import { SseChannel, SseService } from '../../lib/index.js';
import { Http2Answer } from '../support/http2-answer.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

let source: BehaviorSubject<unknown>;

@Controller('runs/:format')
class RunsController {
  constructor(private readonly sse: SseService) {}

  @Sse('', { method: RequestMethod.POST })
  @SseChannel()
  async begin(@Param('format') format: 'default' | 'ai-sdk') {
    return (await this.sse.run(`run:${format}`, source, { format })).events$;
  }

  @Sse('follow')
  @SseChannel('run:{format}', { run: true })
  follow() {}
}

describe('Over HTTP/2 a run', () => {
  const sessions: ClientHttp2Session[] = [];
  afterEach(async () => {
    sessions.splice(0).forEach((session) => session.destroy());
    await closeApps();
  });

  const start = async (first: unknown) => {
    source = new BehaviorSubject(first);
    const app = await startApp({
      httpAdapter: new FastifyAdapter({ http2: true }),
      controllers: [RunsController],
      options: { drainTimeout: 0 },
    });
    const session = connect(app.url);
    session.on('error', () => undefined);
    sessions.push(session);
    const ask = (path: string, headers: OutgoingHttpHeaders = {}) =>
      new Http2Answer(session, { ':path': `/runs/${path}`, ...headers });
    return { ...app, ask };
  };

  it('outlives the stream that began it, is followed and resumed, and answers 204 after its end', async () => {
    const { sse, ask } = await start('one');
    const begun = ask('default', { ':method': 'POST' });
    await until(() => begun.data.length === 1);
    const { id } = begun.frames.at(-1)!;
    begun.leave();
    await until(() => sse.stats().connections === 0);
    source.next('two');
    const followed = ask('default/follow');
    const resumed = ask('default/follow', { 'last-event-id': id });
    await until(() => followed.data.length === 2 && resumed.data.length === 1);
    source.complete();
    await until(() => followed.code !== undefined && resumed.code !== undefined);
    expect([followed.data, resumed.data]).toEqual([
      ['one', 'two', '[DONE]'],
      ['two', '[DONE]'],
    ]);
    expect([followed.code, resumed.code]).toEqual([0, 0]);
    const ended = ask('default/follow', { 'last-event-id': followed.frames.at(-1)!.id });
    await until(() => ended.code !== undefined);
    expect(ended.status).toBe(204);
  });

  it('in a dialect has its headers, ends cleanly with the run, and breaks at disconnect()', async () => {
    const { sse, ask } = await start({ type: 'start' });
    const begun = ask('ai-sdk', { ':method': 'POST' });
    await until(() => begun.data.length === 1);
    expect(begun.headers).toMatchObject({
      ':status': 200,
      'x-vercel-ai-ui-message-stream': 'v1',
      'content-type': 'text/event-stream',
    });
    source.complete();
    await until(() => begun.code !== undefined);
    expect([begun.hasEnded, begun.code]).toEqual([true, 0]);
    expect(begun.data).toEqual(['{"type":"start"}', '[DONE]']);
    source = new BehaviorSubject<unknown>({ type: 'start' });
    const broken = ask('ai-sdk', { ':method': 'POST' });
    await until(() => broken.data.length === 1);
    await sse.disconnect({ channel: 'run:ai-sdk' });
    await until(() => broken.code !== undefined);
    // A client would take an end for the end of the run.
    expect([broken.hasEnded, broken.code]).toEqual([false, constants.NGHTTP2_INTERNAL_ERROR]);
  });
});
