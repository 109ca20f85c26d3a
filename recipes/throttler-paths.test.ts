import { Controller, Get, Module, type CanActivate } from '@nestjs/common';
import { seconds, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { SseModule } from 'nestjs-sse-channels';
import { SsePublishModule } from 'nestjs-sse-channels/publish';
import { deepEqual, equal } from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ADAPTERS, closeAll, closeLater, start } from './support/start.js';
import { AppModule } from './throttler-paths.js';

const TOKEN = 'a-token';
const REQUESTS = 30;

/** Routes of the application whose paths begin as those of the modules do. */
@Controller()
class NeighboursController {
  @Get(['inspectors', 'inspector-notes', 'publish.html', 'jobs/inspector'])
  answer() {
    return {};
  }
}

@Module({ imports: [AppModule], controllers: [NeighboursController] })
class NeighboursModule {}

const NOBODY: CanActivate = { canActivate: () => false };

/** As docs/publish-over-http.md advises: who guesses tokens is slowed down. */
@Module({
  imports: [
    ThrottlerModule.forRoot([{ ttl: seconds(60), limit: 20 }]),
    SseModule.forRoot(),
    SsePublishModule.forRoot({ guards: [ThrottlerGuard, NOBODY] }),
  ],
})
class GuessedModule {}

/** How often each status was answered. */
async function statusesOf(url: string, init: RequestInit = {}): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (let count = 0; count < REQUESTS; count++) {
    const { status, body } = await fetch(url, init);
    await body?.cancel();
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

describe('a throttler that lets the modules pass by their paths', () => {
  beforeEach(() => {
    process.env['TOKEN'] = TOKEN;
    closeLater(() => delete process.env['TOKEN']);
  });
  afterEach(closeAll);

  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

  for (const adapter of ADAPTERS) {
    it(`counts no request of theirs, on ${adapter}`, async () => {
      const { url, connect } = await start(AppModule, adapter);
      for (const path of ['/inspector', '/inspector?tab=health', '/inspector/channels']) {
        deepEqual(await statusesOf(url + path, { headers }), { 200: REQUESTS }, path);
      }
      const body = JSON.stringify({ channel: 'news', data: 'x' });
      const publish = { method: 'POST', headers, body };
      deepEqual(await statusesOf(`${url}/publish`, publish), { 200: REQUESTS });
      const { opened } = await connect('/inspector/live', { headers });
      equal(opened.status, 200);
      equal(opened.headers['x-ratelimit-limit'], undefined);
    });

    it(`leaves them to their guards, on ${adapter}`, async () => {
      const { url } = await start(AppModule, adapter);
      deepEqual(await statusesOf(`${url}/inspector`), { 403: REQUESTS });
      deepEqual(await statusesOf(`${url}/publish`, { method: 'POST' }), { 403: REQUESTS });
    });

    it(`counts before another guard where it stands before it, on ${adapter}`, async () => {
      const { url } = await start(GuessedModule, adapter);
      const publish = { method: 'POST', headers, body: '{}' };
      deepEqual(await statusesOf(`${url}/publish`, publish), { 403: 20, 429: REQUESTS - 20 });
    });

    it(`counts every other route, on ${adapter}`, async () => {
      const { url } = await start(NeighboursModule, adapter);
      const paths = ['jobs', 'inspectors', 'inspector-notes', 'publish.html', 'jobs/inspector'];
      for (const path of paths) {
        // A route has a count of its own, and the paths of one handler share it.
        const { 200: answered = 0, 429: refused = 0 } = await statusesOf(`${url}/${path}`);
        equal(answered + refused, REQUESTS, path);
        equal(refused >= REQUESTS - 20, true, path);
      }
    });
  }
});
