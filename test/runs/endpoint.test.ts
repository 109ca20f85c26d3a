import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Logger,
  Param,
  Post,
  RequestMethod,
  Sse,
} from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { BehaviorSubject } from 'rxjs';
import { channelName, SseChannel, SseService, type SseModuleOptions } from '../../lib/index.js';
import { RawStream } from '../endpoint/raw-stream.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** The sources of the runs, by the id in the path. */
const sources = new Map<string, BehaviorSubject<string>>();

function sourceOf(id: string): BehaviorSubject<string> {
  const source = new BehaviorSubject('chunk 0');
  sources.set(id, source);
  return source;
}

@Controller('chat')
class ChatController {
  constructor(private readonly sse: SseService) {}

  @Sse(':id', { method: RequestMethod.POST })
  @SseChannel()
  async ask(@Param('id') id: string, @Body() body: { fail?: boolean } = {}) {
    const run = await this.sse.run(channelName('chat:{id}', { id }), () => {
      if (body?.fail) {
        throw new ConflictException('no answer today');
      }
      return sourceOf(id);
    });
    return run.events$;
  }

  @Post(':id/start')
  async start(@Param('id') id: string) {
    const run = await this.sse.run(channelName('chat:{id}', { id }), sourceOf(id));
    return { id: run.id };
  }

  @Sse(':id/stream')
  @SseChannel('chat:{id}', { run: true })
  follow() {}

  @Sse(':id/two')
  @SseChannel(() => ['chat:1', 'chat:2'], { run: true })
  two() {}

  @Delete(':id')
  stop(@Param('id') id: string) {
    return this.sse.stop(channelName('chat:{id}', { id }));
  }
}

describe.each(ADAPTERS)('Endpoints of runs on %s', (adapter) => {
  afterEach(closeApps);

  const start = (options: SseModuleOptions = {}) =>
    startApp({ adapter, options: { drainTimeout: 0, ...options }, controllers: [ChatController] });

  const data = (stream: RawStream) => stream.events.map((event) => event.data);

  it('stream a run to the request that begins it, and to others from its beginning', async () => {
    const { url, connect } = await start();
    const asked = await connect('/chat/1', { method: 'POST' });
    await asked.next();
    sources.get('1')!.next('chunk 1');
    expect((await asked.next()).data).toBe('chunk 1');
    await asked.close();
    const followed = await RawStream.open(`${url}/chat/1/stream`);
    await followed.event(1);
    const source = sources.get('1')!;
    source.next('chunk 2');
    source.complete();
    await followed.closed;
    expect(data(followed)).toEqual(['chunk 0', 'chunk 1', 'chunk 2', '[DONE]']);
    const ids = followed.events.map(({ id }) => id!.split('.'));
    expect(new Set(ids.map(([run]) => run)).size).toBe(1);
    expect(ids.map(([, seq]) => seq)).toEqual(['1', '2', '3', '4']);
  });

  it('answer 204 when there is no run, or it has ended', async () => {
    const { url, sse } = await start();
    expect((await fetch(`${url}/chat/1/stream`)).status).toBe(204);
    const run = await sse.run('chat:1', sourceOf('1'));
    sources.get('1')!.complete();
    await run.done;
    expect((await fetch(`${url}/chat/1/stream`)).status).toBe(204);
  });

  it('resume a run at a position, also one that has ended, up to its end', async () => {
    const { url, sse } = await start();
    const run = await sse.run('chat:1', sourceOf('1'));
    const source = sources.get('1')!;
    source.next('chunk 1');
    const headers = (seq: number) => ({ headers: { 'last-event-id': `${run.id}.${seq}` } });
    const resumed = await RawStream.open(`${url}/chat/1/stream`, headers(1));
    expect((await resumed.event(0)).data).toBe('chunk 1');
    source.next('chunk 2');
    source.complete();
    await run.done;
    await resumed.closed;
    expect(data(resumed)).toEqual(['chunk 1', 'chunk 2', '[DONE]']);
    const late = await RawStream.open(`${url}/chat/1/stream`, headers(2));
    await late.closed;
    expect(data(late)).toEqual(['chunk 2', '[DONE]']);
    expect((await fetch(`${url}/chat/1/stream`, headers(4))).status).toBe(204);
    const beyond = await RawStream.open(`${url}/chat/1/stream`, headers(99));
    await beyond.closed;
    const reset = JSON.stringify({ channel: 'chat:1', reason: 'unknown-position' });
    expect(data(beyond)).toEqual([reset, 'chunk 0', 'chunk 1', 'chunk 2', '[DONE]']);
  });

  it('tell a client whose run is gone, and begin with the active one', async () => {
    const { connect, sse } = await start({ runs: { keep: 0 } });
    const first = await sse.run('chat:1', sourceOf('1'));
    sources.get('1')!.complete();
    await first.done;
    const comeBack = (lastEventId: string) => connect('/chat/1/stream', { lastEventId });
    await until(async () => (await comeBack(`${first.id}.1`)).opened.status === 204);
    const active = await sse.run('chat:1', sourceOf('1'));
    for (const [id, reason] of [
      [`${first.id}.1`, 'trimmed'],
      ['nonsense', 'unknown-position'],
      [`${active.id}.99`, 'unknown-position'],
    ] as const) {
      const client = await comeBack(id);
      const [reset, chunk] = await client.take(2);
      expect(reset!.type).toBe('sse:reset');
      expect(JSON.parse(reset!.data)).toMatchObject({ channel: 'chat:1', reason });
      expect(chunk!.data).toBe('chunk 0');
    }
  });

  it('stop a run, and tell its readers', async () => {
    const { url } = await start();
    const asked = await RawStream.open(`${url}/chat/1`, { method: 'POST' });
    await asked.event(0);
    expect(await (await fetch(`${url}/chat/1`, { method: 'DELETE' })).text()).toBe('true');
    sources.get('1')!.next('too late');
    await asked.closed;
    expect(data(asked)).toEqual(['chunk 0', '{}', '[DONE]']);
    expect(asked.events[1]!.event).toBe('sse:stopped');
    expect(await (await fetch(`${url}/chat/1`, { method: 'DELETE' })).text()).toBe('false');
  });

  it('answer with the error of a source that fails at once', async () => {
    const { url } = await start();
    const failed = await fetch(`${url}/chat/1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"fail":true}',
    });
    expect([failed.status, ((await failed.json()) as { message: string }).message]).toEqual([
      409,
      'no answer today',
    ]);
  });

  it('answer 409 for a second run of a channel, and 503 for one too many, on any route', async () => {
    const errors = jest.spyOn(Logger.prototype, 'error');
    const { url, sse } = await start({ runs: { active: 2 } });
    const post = async (path: string) => {
      const answer = await fetch(`${url}/${path}`, { method: 'POST' });
      return [answer.status, await answer.json()];
    };
    const { id } = await sse.run('chat:1', sourceOf('1'));
    expect(sse.stats().runs).toBe(1);
    for (const path of ['chat/1', 'chat/1/start']) {
      const message = expect.stringContaining(`active run, ${id}.`);
      expect(await post(path)).toEqual([409, { statusCode: 409, message, runId: id }]);
    }
    await sse.run('chat:2', sourceOf('2'));
    for (const path of ['chat/3', 'chat/3/start']) {
      const message = expect.stringContaining('2 runs are active');
      expect(await post(path)).toEqual([503, { statusCode: 503, message }]);
    }
    // Neither is a mistake of the application.
    expect(errors).not.toHaveBeenCalled();
    errors.mockRestore();
    expect(sse.stats().runs).toBe(2);
    await sse.stop('chat:2');
    await until(() => sse.stats().runs === 1);
  });

  it('send clients that come during a shutdown back soon, also while a run goes on', async () => {
    // Shorter than the time for which a client is sent away where there is no room.
    const drainTimeout = 14_000;
    const { app, sse, connect } = await start({ drainTimeout });
    const run = await sse.run('chat:1', sourceOf('1'));
    const first = await connect('/chat/1/stream');
    await first.next();
    const closed = app.close();
    await first.closed;
    expect(first.retry).toBeLessThanOrEqual(drainTimeout);
    const second = await connect('/chat/1/stream', { lastEventId: `${run.id}.1` });
    expect((await second.closed).by).toBe('server');
    expect(second.opened.status).toBe(200);
    expect(second.retry).toBeLessThanOrEqual(drainTimeout);
    expect(sse.stats().refused.closing).toBe(1);
    sources.get('1')!.complete();
    expect(await run.done).toMatchObject({ reason: 'completed' });
    await closed;
  });

  it('refuse several channels', async () => {
    const { url } = await start();
    const answer = await fetch(`${url}/chat/1/two`);
    expect(answer.status).toBe(500);
  });
});

describe('An endpoint with `run`', () => {
  afterEach(closeApps);

  it('refuses a broker without runs, another source, and snapshots', async () => {
    const broker = {
      open: () => ({ close: () => undefined }),
      publish: () => Promise.resolve('1'),
    };
    await expect(startApp({ options: { broker }, controllers: [ChatController] })).rejects.toThrow(
      'The broker keeps no runs',
    );

    @Controller()
    class OtherController {
      @Sse('other')
      @SseChannel('other', { source: 'cache', run: true })
      other() {}
    }
    await expect(startApp({ controllers: [OtherController] })).rejects.toThrow('another `source`');
    expect(() =>
      SseChannel('chat', { run: true, snapshot: () => 1 })(
        ChatController.prototype,
        'follow',
        Object.getOwnPropertyDescriptor(ChatController.prototype, 'follow')!,
      ),
    ).toThrow('`snapshot` has no effect with `run`');
    expect(() =>
      SseChannel(undefined, { run: true })(
        ChatController.prototype,
        'follow',
        Object.getOwnPropertyDescriptor(ChatController.prototype, 'follow')!,
      ),
    ).toThrow('`run` has no effect without a channel');
  });
});
