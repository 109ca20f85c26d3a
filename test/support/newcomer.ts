import { expect } from '@jest/globals';
import type { TestApp } from './start-app.js';
import { until } from './until.js';

/** Expects that nothing is left of any client, and that the next one is served. */
export async function expectRoomFor(
  app: TestApp,
  { path, channel }: { readonly path: string; readonly channel: string },
): Promise<void> {
  const { sse } = app;
  await until(
    () => {
      const { connections, readers, opening } = sse.stats();
      return connections === 0 && opening === 0 && readers === 0;
    },
    { what: `nothing to be left; there is ${JSON.stringify(sse.stats())}` },
  );
  const client = await app.connect(path);
  expect(client.opened.status).toBe(200);
  await until(() => sse.stats().connections === 1);
  await sse.send(channel, 'hello');
  expect((await client.next()).data).toBe('hello');
  await client.close();
  await until(() => sse.stats().connections === 0 && sse.stats().readers === 0);
}
