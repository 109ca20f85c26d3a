import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { until } from '../support/until.js';
import { startChromium } from './chromium.js';
import {
  SamplePage,
  startSampleServer,
  type SampleServer,
  type StreamRequest,
} from './sample-page.js';

let browser: Browser;
let server: SampleServer;
let page: SamplePage;

beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser?.close());

beforeEach(async () => {
  server = await startSampleServer();
  page = await SamplePage.open(browser, server.proxy.url(server.address));
});
afterEach(async () => {
  await page?.close();
  await server?.close();
});

function send(method: string, path: string, body: unknown): Promise<Response> {
  const text = typeof body === 'string';
  return fetch(server.address + path, {
    method,
    headers: { 'content-type': text ? 'text/plain' : 'application/json' },
    body: text ? body : JSON.stringify(body),
  });
}

/** The requests of the page's client so far. */
function asked(): StreamRequest[] {
  return server.requests.filter(({ path }) => path === '/stream');
}

const isOpen = ({ response }: StreamRequest) => !response.writableEnded && !response.destroyed;

/** For the page: whether the tab is looked at from now on. */
const look = (isShown: boolean) =>
  `globalThis.isShown = ${isShown}; document.dispatchEvent(new Event('visibilitychange'))`;

function numbers(count: number, word: string): string[] {
  return Array.from({ length: count }, (_, n) => `${word} ${n + 1}`);
}

describe('the page in Chromium', () => {
  it('shows a Postgres row that another client wrote', async () => {
    await send('POST', '/users', { name: 'Grace', status: 'online' });
    const [event] = await page.received('users', 1);
    expect(event).toMatchObject({ name: 'insert', id: expect.stringMatching(/./) });
    expect(JSON.parse(event!.data)).toMatchObject({ name: 'Grace', status: 'online' });
  });

  it('has a button for everything', async () => {
    await page.click('#insert-user button');
    await page.received('users', 1);
    await page.click('#update-user button');
    const users = await page.received('users', 2);
    expect(users.map(({ name }) => name)).toEqual(['insert', 'update']);

    await page.click('#send-key button[value=send]');
    await page.received('key', 1);
    await page.page.fill('#send-key input[name=value]', 'written past the module');
    await page.click('#send-key button[value=write]');
    const values = await page.received('key', 2);
    expect(values.map(({ data }) => data)).toEqual(['Hello', 'written past the module']);

    await page.click('#send-room button[value=one]');
    await page.click('#send-room button[value=burst]');
    const messages = await page.received('room', 51);
    expect(messages.map(({ data }) => data)).toEqual(['Hi there', ...numbers(50, 'Hi there')]);
    await page.received('clock', 2);
    expect(await page.page.textContent('#uses-cache')).toBe('in-process');
  });

  it('asks nobody else for anything, and reports no error', async () => {
    await page.received('clock', 1);
    expect([...page.origins]).toEqual([new URL(server.proxy.url(server.address)).origin]);
    expect(page.errors).toEqual([]);
  });

  it.each([360, 768, 1280])('fits into a window of %d pixels', async (width) => {
    await page.page.setViewportSize({ width, height: 800 });
    await page.click('#insert-user button');
    await page.received('users', 1);
    expect(await page.page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  });

  it('works in more tabs than a browser has connections, and only the visible one has a clock', async () => {
    const context = page.page.context();
    // Chromium without a window takes all its tabs for visible.
    await context.addInitScript(
      'Object.defineProperty(document, "hidden", { get: () => !globalThis.isShown })',
    );
    const tabs: Page[] = [];
    for (let n = 0; n < 7; n++) {
      const tab = await context.newPage();
      tabs.push(tab);
      await tab.goto(page.page.url());
      await tab.waitForSelector('.card[data-stream=orders][data-state=open]');
    }
    const last = tabs.at(-1)!;
    await last.click('#send-room button[value=one]');
    for (const tab of tabs) await tab.waitForSelector('#log tr[data-stream=room]');
    await page.received('room', 1);
    expect(
      server.requests
        .filter(isOpen)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['/events/clock', '/stream']);

    await last.evaluate(look(true));
    await last.waitForSelector('.card[data-stream=clock][data-state=open]');
    await last.evaluate(look(false));
    await last.waitForSelector('.card[data-stream=clock][data-state=disconnected]');
  });
});

describe('The channels of the page', () => {
  it('end by [DONE] while the others go on, and are asked for again', async () => {
    await page.click('#send-key button[value=done]');
    await page.reaches('key', 'completed');
    expect((await page.received('key', 1)).map(({ name }) => name)).toEqual(['end']);
    await page.click('#send-room button[value=one]');
    await page.received('room', 1);
    await page.click('.card[data-stream=key] .toggle');
    await page.reaches('key', 'open');
    await page.click('#send-key button[value=send]');
    expect((await page.received('key', 2)).map(({ data }) => data)).toEqual(['(empty)', 'Hello']);
  });

  it('loses and repeats nothing when its connections break while events are sent', async () => {
    let sent = 0;
    const sendToAll = async () => {
      const n = ++sent;
      await Promise.all([
        send('POST', '/rooms/lobby', `message ${n}`),
        send('PUT', '/keys/demo', `value ${n}`),
        send('POST', '/users', { name: `user ${n}`, status: 'online' }),
      ]);
    };
    for (let cut = 1; cut <= 4; cut++) {
      const requests = asked().length;
      await sendToAll();
      const crossing = sendToAll();
      server.proxy.cut();
      await crossing;
      await sendToAll();
      await until(() => asked().length > requests, {
        deadline: 20_000,
        what: `the client to come back after cut ${cut}`,
      });
      await sendToAll();
    }

    const messages = await page.received('room', sent);
    const users = await page.received('users', sent);
    const values = await page.received('key', sent);
    expect(messages.map(({ data }) => data)).toEqual(numbers(sent, 'message'));
    expect(users.map(({ data }) => (JSON.parse(data) as { name: string }).name)).toEqual(
      numbers(sent, 'user'),
    );
    expect(values.map(({ data }) => data)).toEqual(numbers(sent, 'value'));
  });

  it('resumes after a connection that broke before its first event', async () => {
    const requests = asked().length;
    server.proxy.cut();
    await send('POST', '/rooms/lobby', 'sent in the gap');
    await until(() => asked().length > requests, { deadline: 20_000 });
    expect((await page.received('room', 1)).map(({ data }) => data)).toEqual(['sent in the gap']);
    // The clock, which is an EventSource, is back as well.
    await page.received('clock', (await page.events('clock')).length + 1);
  });

  it('gets what was sent while it was disconnected on purpose', async () => {
    const toggle = '.card[data-stream=room] .toggle';
    await send('POST', '/rooms/lobby', 'before');
    await page.received('room', 1);
    await page.click(toggle);
    await page.reaches('room', 'disconnected');
    await send('POST', '/rooms/lobby', 'meanwhile');
    await page.click(toggle);
    const messages = await page.received('room', 2);
    expect(messages.map(({ data }) => data)).toEqual(['before', 'meanwhile']);
  });

  it('is told when its position is unknown', async () => {
    await page.click('.card[data-stream=room] .unknown');
    const [event] = await page.received('room', 1);
    expect(event!.name).toBe('sse:reset');
    expect(JSON.parse(event!.data)).toEqual({ channel: 'room:lobby', reason: 'unknown-position' });
    expect(await page.page.textContent('.card[data-stream=room] .reset')).toContain(
      'unknown-position',
    );
    await send('POST', '/rooms/lobby', 'goes on');
    expect((await page.received('room', 2))[1]!.data).toBe('goes on');
  });
});
