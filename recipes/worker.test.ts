import { Controller, Module, Sse } from '@nestjs/common';
import { SseChannel, SseModule } from 'nestjs-sse-channels';
import { deepEqual, equal, match } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, describe, it } from 'node:test';
import { freePort } from '../test/support/free-port.js';
import { startRedis, type RedisServer } from '../test/support/redis.js';
import { closeAll, start } from './support/start.js';

@Controller()
class ImportsController {
  @Sse('imports/:id/events')
  @SseChannel('import:{id}')
  events() {}
}

/** Runs the worker as a process of its own, until it ends. */
async function run(id: string, redisUrl: string) {
  const worker = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--import=./scripts/typescript.mjs',
      'recipes/worker.ts',
      id,
    ],
    { env: { ...process.env, REDIS_URL: redisUrl, NO_COLOR: '1' } },
  );
  let output = '';
  for (const stream of [worker.stdout, worker.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const [code] = (await once(worker, 'close')) as [number | null];
  return { code, output };
}

describe('a worker that only sends', () => {
  let redis: RedisServer;
  before(async () => (redis = await startRedis()));
  after(() => redis.stop());
  afterEach(closeAll);

  it('reaches the streams of the application, ends them, and ends', async () => {
    @Module({
      imports: [SseModule.forRoot({ broker: 'redis', redis: redis.url })],
      controllers: [ImportsController],
    })
    class AppModule {}

    const { connect } = await start(AppModule);
    const client = await connect('/imports/a%2Fb/events');
    deepEqual(await run('a/b', redis.url), { code: 0, output: '' });
    equal((await client.closed).by, 'server');
    deepEqual(
      client.events.map(({ data }) => data),
      ['{"percent":0}', '{"percent":50}', '{"percent":100}', '[DONE]'],
    );
    equal((await client.reconnect()).opened.status, 204);
  });

  it('fails at its start when Redis cannot be reached', async () => {
    const { code, output } = await run('7', `redis://127.0.0.1:${await freePort()}`);
    equal(code, 1);
    match(output, /Redis at 127\.0\.0\.1:\d+ cannot be reached: connect ECONNREFUSED/);
  });
});
