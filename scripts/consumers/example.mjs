// The README's first example, as users of different builds write it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const readme = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');
const [, example] = /^```ts\n([\s\S]*?)^```$/m.exec(readme);
const START = '\nasync function bootstrap()';
const [declarations, start] = example.split(START);
if (start === undefined) {
  throw new Error(`The README's first example has no "${START.trim()}".`);
}

/** As it stands. */
export const AS_PROGRAM = example;

/** As a test of its module, for Jest and for Vitest with global functions. */
export const AS_TEST = `${declarations}
import { Test } from '@nestjs/testing';
import { SseTestClient } from 'nestjs-sse-channels/testing';

it('streams what is posted', async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app = module.createNestApplication();
  await app.listen(0, '127.0.0.1');
  const client = await SseTestClient.connect(app, '/rooms/lobby/events');
  await fetch(\`\${await app.getUrl()}/rooms/lobby\`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"text":"Hello"}',
  });
  expect(await client.next()).toMatchObject({ data: '{"text":"Hello"}' });
  await client.close();
  await app.close();
});
`;

/** The other entries of the package, which a compiler is to find as well. */
export const WITH_ENTRIES = `import { defineChannel, unchecked, type EventOf } from 'nestjs-sse-channels/channel';
import { SseClient, shareTabs } from 'nestjs-sse-channels/client';
import { SseInspectorModule } from 'nestjs-sse-channels/inspector';
import { SsePublishModule } from 'nestjs-sse-channels/publish';
import { describeSseChannels } from 'nestjs-sse-channels/swagger';
import { SseHealthIndicator } from 'nestjs-sse-channels/terminus';
import { SseTestClient } from 'nestjs-sse-channels/testing';
export const isReady = (health: SseHealthIndicator): boolean => health.ready().sse.status === 'up';
export const modules = [SsePublishModule.forRoot({ guards: 'none' }), SseInspectorModule.forRoot({ guards: 'none' })];
export const connect: typeof SseTestClient.connect = SseTestClient.connect;
export const client = (url: string): SseClient => new SseClient(url, { tabs: shareTabs() });
export const describe: typeof describeSseChannels = describeSseChannels;
export const Job = defineChannel('job:{id}', { progress: unchecked<{ percent: number }>() });
export const name: string = Job.channel({ id: 1 });
export const percentOf = (event: EventOf<typeof Job>): number => event.data.percent;
`;
