import { Module } from '@nestjs/common';
import { SseModule } from 'nestjs-sse-channels';
import { SsePublishModule } from 'nestjs-sse-channels/publish';
import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, connect as connectTo, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { ADAPTERS, closeAll, closeLater, start, type Running } from './support/start.js';

const PAGE = 'docs/publish-over-http.md';
const TOKEN = 'a-token';

/** The blocks of a language on the page, in their order. */
function blocks(language: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '..', PAGE), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, code]) => code!,
  );
}

@Module({
  imports: [
    SseModule.forRoot(),
    SsePublishModule.forRoot({
      guards: [
        {
          canActivate: (context) =>
            context.switchToHttp().getRequest<{ headers: Record<string, string> }>().headers[
              'authorization'
            ] === `Bearer ${TOKEN}`,
        },
      ],
      channels: ['news', 'job:{id}'],
    }),
  ],
})
class AppModule {}

/** Runs a program, and returns what it printed. */
async function run(command: string, args: string[], url: string): Promise<string> {
  const env = { ...process.env, PUBLISH_TOKEN: TOKEN, PUBLISH_URL: `${url}/publish` };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', () =>
      reject(new Error(`There is no ${command}. Install it: apt-get install ${command}`)),
    );
    child.once('close', resolve);
  });
  equal(code, 0, output);
  return output;
}

/** All events that a channel has. */
async function eventsOf({ sse }: Running, channel: string): Promise<unknown[]> {
  const events: unknown[] = [];
  const reading = sse
    .stream(channel, { lastEventId: 'earliest' })
    .subscribe(({ id, type, data }) => events.push({ id, type, data }));
  await sse.send(channel, 'the end');
  while ((events.at(-1) as { data?: unknown } | undefined)?.data !== 'the end') {
    await new Promise((resolve) => setImmediate(resolve));
  }
  reading.unsubscribe();
  return events.slice(0, -1);
}

describe('publishing by programs', () => {
  afterEach(closeAll);

  for (const adapter of ADAPTERS) {
    it(`works by the lines for curl, on ${adapter}`, async () => {
      const app = await start(AppModule, adapter);
      const [one, many] = blocks('sh').map((text) =>
        // For a curl before 7.82.
        text
          .replace('localhost:3000', app.url)
          .replace('--json', `-H 'Content-Type: application/json' -d`)
          .replace('curl ', 'curl -sS '),
      );
      const { id } = JSON.parse(await run('sh', ['-c', one!], app.url)) as { id: string };
      deepEqual(await eventsOf(app, 'job:42'), [{ id, type: 'progress', data: { percent: 50 } }]);
      for (const duplicate of [false, true]) {
        const { results } = JSON.parse(await run('sh', ['-c', many!], app.url)) as {
          results: { status: string; duplicate: boolean }[];
        };
        deepEqual(
          results.map(({ status, ...rest }) => [status, rest.duplicate]),
          [
            ['sent', duplicate],
            ['sent', duplicate],
          ],
        );
      }
      equal((await eventsOf(app, 'news')).length, 2);
    });

    it(`works from Python, once, also where the answer is lost, on ${adapter}`, async () => {
      const app = await start(AppModule, adapter);
      const { port: target } = new URL(app.url);
      let connections = 0;
      const proxy = createServer((client) => {
        const isCut = connections++ === 0;
        const server = connectTo(Number(target), '127.0.0.1');
        client.pipe(server);
        for (const socket of [client, server]) socket.on('error', () => socket.destroy());
        // The first answer never arrives.
        server.on('data', (bytes) => (isCut ? client.destroy() : client.write(bytes)));
        server.on('end', () => client.end());
        client.on('close', () => server.destroy());
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      closeLater(() => proxy.close());
      const [program] = blocks('python');
      const { port } = proxy.address() as AddressInfo;
      const id = (await run('python3', ['-c', program!], `http://127.0.0.1:${port}`)).trim();
      match(id, /\d/);
      ok(connections > 1);
      deepEqual(await eventsOf(app, 'job:42'), [{ id, type: 'progress', data: { percent: 50 } }]);
    });
  }
});
