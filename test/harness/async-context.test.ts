import { AsyncLocalStorage, executionAsyncId } from 'node:async_hooks';
import { expect, it } from '@jest/globals';

it('A promise of a test has no context to pass on, which would make it slow', async () => {
  await Promise.resolve();
  expect(executionAsyncId()).toBe(0);
});

it('A storage of a test works', async () => {
  const storage = new AsyncLocalStorage<string>();
  const read = async () => {
    await Promise.resolve();
    return storage.getStore();
  };
  expect(await storage.run('context', read)).toBe('context');
  expect(await read()).toBeUndefined();
});
