import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { of } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import { errorLog } from '../support/error-log.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';

/** What the application's functions answer in the test at hand. */
let answer: unknown;
let handled = 0;

@Controller()
class AccessController {
  @Sse('expiring')
  @SseChannel('news', { expires: () => answer as Date })
  expiring() {
    handled++;
  }

  @Sse('expiring-handler')
  @SseChannel(undefined, { expires: () => answer as Date })
  expiringHandler() {
    handled++;
    return of('secret');
  }

  @Sse('news')
  @SseChannel('news')
  news() {
    handled++;
  }

  @Sse('resolved')
  @SseChannel(() => answer as string)
  resolved() {
    handled++;
  }
}

const NO_TIMES: [string, unknown][] = [
  ['an invalid Date', new Date('tomorrow')],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['null', null],
  ['a text', '2999-01-01'],
  ['seconds', 4_102_444_800],
  ['a Date made of seconds', new Date(4_102_444_800)],
  ['a promise', Promise.resolve(Date.now() + 60_000)],
  ['an object', { exp: 1 }],
  ['true', true],
];

describe.each(ADAPTERS)('Access on %s', (adapter) => {
  afterEach(async () => {
    jest.restoreAllMocks();
    await closeApps();
  });

  const start = async (options = {}) => {
    handled = 0;
    const { lines, logger } = errorLog();
    const app = await startApp({
      adapter,
      options,
      controllers: [AccessController],
      logger,
    });
    await app.sse.send('news', 'history');
    return { ...app, lines };
  };

  for (const path of ['/expiring', '/expiring-handler']) {
    it.each(NO_TIMES)(`is refused at ${path} when \`expires\` returns %s`, async (_, value) => {
      const { connect, sse, lines } = await start();
      answer = value;
      const client = await connect(path, { lastEventId: 'earliest' });
      expect(client.opened.status).toBe(500);
      await client.closed;
      expect(client.events).toEqual([]);
      expect(handled).toBe(0);
      expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
      expect(lines.join()).toMatch(/`expires` of AccessController\.expiring.* returned/);
    });

    it(`is refused at ${path} with a hint when a Date is made of seconds`, async () => {
      const { connect, lines } = await start();
      answer = new Date(4_102_444_800);
      expect((await connect(path)).opened.status).toBe(500);
      expect(lines.join()).toContain('returned a Date; it must return a Date after 2001');
    });

    it(`is refused with 401 at ${path} when the permission has ended`, async () => {
      const { connect, sse } = await start();
      for (const past of [new Date(Date.now() - 1), Date.now()]) {
        answer = past;
        const client = await connect(path, { lastEventId: 'earliest' });
        expect(client.opened.status).toBe(401);
        await client.closed;
        expect(client.events).toEqual([]);
      }
      expect(handled).toBe(0);
      expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    });
  }

  it('lasts for ever where `expires` returns undefined', async () => {
    const { connect, sse } = await start();
    answer = undefined;
    const client = await connect('/expiring', { lastEventId: 'earliest' });
    expect((await client.next()).data).toBe('history');
    expect(sse.stats().connections).toBe(1);
  });

  it.each([
    ['null', null],
    ['a number', 7],
    ['an object', {}],
    ['a promise', Promise.resolve('client')],
  ])('is refused when `client` returns %s, and leaves nothing behind', async (_, value) => {
    const { connect, sse, lines } = await start({
      client: () => value,
      limits: { connections: 3, connectionsPerClient: 2 },
    });
    for (let i = 0; i < 5; i++) {
      const client = await connect('/news', { lastEventId: 'earliest' });
      expect(client.opened.status).toBe(500);
      await client.closed;
    }
    expect(handled).toBe(0);
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    expect(lines.join()).toMatch(/`client` of AccessController\.news returned/);
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['an object', {}],
    ['an array with null', ['news', null]],
    ['a promise of nothing', Promise.resolve()],
  ])('is refused when a resolver returns %s', async (_, value) => {
    const { connect, sse, lines } = await start();
    answer = value;
    const client = await connect('/resolved', { lastEventId: 'earliest' });
    expect(client.opened.status).toBe(500);
    await client.closed;
    expect(handled).toBe(0);
    expect(sse.stats()).toMatchObject({ connections: 0, readers: 0 });
    expect(lines.join()).toMatch(/The resolver of AccessController\.resolved returned/);
  });
});
