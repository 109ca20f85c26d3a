import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { BehaviorSubject } from 'rxjs';
import type { RunSource } from '../../lib/index.js';
import { SYSTEMS, type System } from '../once/systems.js';
import { errorLog } from '../support/error-log.js';
import { closeApps, startApp } from '../support/start-app.js';

/** A stream of Node that has failed. */
function failedStream(): Readable {
  const stream = new Readable({ read: () => undefined });
  stream.destroy(new Error('The stream failed.'));
  return stream;
}

/** What an application may give that fails by itself, whoever reads it, and the error. */
const FAILING: Record<string, readonly [source: () => RunSource, error: string]> = {
  'a promise': [() => Promise.reject(new Error('The promise failed.')), 'The promise failed.'],
  'a stream': [failedStream, 'The stream failed.'],
  'a file that is missing': [() => createReadStream('/no/such/file'), 'ENOENT'],
  'the promise of a stream': [() => Promise.resolve(failedStream()), 'The stream failed.'],
};

// Errors that nobody takes fail the test in which they happen.
describe.each(Object.entries(SYSTEMS))(
  'With %s, what is given as the source of a run, and fails',
  (_, make) => {
    let system: System;
    beforeAll(async () => void (system = await make()));
    afterEach(closeApps);
    afterAll(() => system.stop());

    const start = () =>
      startApp({
        options: { ...system.options, drainTimeout: 0 },
        logger: errorLog().logger,
      });

    it.each(Object.entries(FAILING))(
      'before the run has begun: %s, makes it reject',
      async (__, [source, error]) => {
        const { sse } = await start();
        await expect(sse.run('chat', source())).rejects.toThrow(error);
        expect(sse.stats().runs).toBe(0);
        const next = await sse.run('chat', new BehaviorSubject('next'));
        expect(await sse.stop('chat')).toBe(true);
        expect(await next.done).toMatchObject({ reason: 'stopped' });
      },
    );

    it.each(Object.entries(FAILING))(
      'though its run was refused: %s, does not end the process',
      async (__, [source]) => {
        const { sse } = await start();
        await sse.run('chat', new BehaviorSubject('first'));
        await expect(sse.run('chat', source())).rejects.toMatchObject({ code: 'RUN_ACTIVE' });
        await expect(sse.run('', source())).rejects.toMatchObject({ code: 'INVALID_CHANNEL' });
        const given = source();
        await expect(sse.run('chat', given, { lease: -1 })).rejects.toMatchObject({
          code: 'INVALID_OPTION',
        });
        await Promise.resolve(given).catch(() => undefined);
        await sleep(20);
      },
    );
  },
);

afterAll(closeApps);

it('A source that throws what tells nothing of itself makes run() reject, and ends nothing', async () => {
  const { sse } = await startApp({
    options: { drainTimeout: 0 },
    logger: errorLog().logger,
  });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  let thrown: unknown;
  await sse
    .run('chat', () => Promise.reject(proxy))
    .catch((error: unknown) => {
      thrown = error;
    });
  // No `expect()` of the proxy, which would look into it.
  expect(thrown === proxy).toBe(true);
  expect(sse.stats().runs).toBe(0);
  await sleep(20);
});
