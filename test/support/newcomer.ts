import { expect } from '@jest/globals';
import type { TestApp } from './start-app.js';
import { until } from './until.js';

/** Waits until nothing is left of any client. */
export async function untilNobodyIsLeft({ sse }: TestApp): Promise<void> {
  const nobody = (): boolean => {
    const { connections, opening, readers } = sse.stats();
    return connections === 0 && opening === 0 && readers === 0;
  };
  await until(nobody, { what: 'nobody to be left' }).catch((error: unknown) => {
    throw new Error(`There is ${JSON.stringify(sse.stats())}`, { cause: error });
  });
}

/** Expects that nothing is left of any client, and that the next one is served. */
export async function expectRoomFor(
  app: TestApp,
  { path, channel }: { readonly path: string; readonly channel: string },
): Promise<void> {
  const { sse } = app;
  await untilNobodyIsLeft(app);
  const client = await app.connect(path);
  expect(client.opened.status).toBe(200);
  await until(() => sse.stats().connections === 1);
  await sse.send(channel, 'hello');
  expect((await client.next()).data).toBe('hello');
  await client.close();
  await untilNobodyIsLeft(app);
}
