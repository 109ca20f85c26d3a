import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import { InspectorRig, startInspected } from './inspector-rig.js';

const rig = new InspectorRig();
const LOBBY = '#open=room%3Alobby';

/** Waits until the detail lists events of so many bytes, the newest first. */
function listsSizes(page: Page, sizes: readonly string[]): Promise<unknown> {
  return until(
    async () => {
      const shown = await page.$$eval('.events .size', (all) =>
        all.map((size) => size.textContent ?? ''),
      );
      return JSON.stringify(shown) === JSON.stringify(sizes);
    },
    { what: `events of ${sizes.join(', ')}`, every: 50 },
  );
}

describe('the events of a channel', () => {
  it('are those that are retained, and with Follow those that come', async () => {
    const app = await startInspected();
    await app.sse.send('room:lobby', 'x'.repeat(10));
    const page = await rig.open(app, LOBBY);
    await listsSizes(page, ['10 B']);
    // Before anybody follows: the history has it.
    await app.sse.send('room:lobby', 'x'.repeat(11));
    await page.click('text=Follow');
    await page.waitForSelector('.follow-state[data-state=on]');
    await listsSizes(page, ['11 B', '10 B']);
    await app.sse.send('room:lobby', 'x'.repeat(12), { type: 'said' });
    await listsSizes(page, ['12 B', '11 B', '10 B']);
    expect(await page.textContent('.events li .type')).toBe('said');

    await page.click('text=Pause');
    await app.sse.send('room:lobby', 'x'.repeat(13));
    await page.waitForSelector('text=Paused, 1 event since');
    await listsSizes(page, ['12 B', '11 B', '10 B']);
    await page.click('text=Go on');
    await listsSizes(page, ['13 B', '12 B', '11 B', '10 B']);
    await page.click('text=Clear');
    await listsSizes(page, []);
    await app.sse.send('room:lobby', 'x'.repeat(14));
    await listsSizes(page, ['14 B']);
    await page.click('text=Stop');
    await page.waitForSelector('.follow-state[data-state=off]', { state: 'attached' });
  });

  it('are all there where their ids come again', async () => {
    const app = await startInspected();
    const ids = { id: 'same' };
    await app.sse.send('room:lobby', 'x'.repeat(10), ids);
    await app.sse.send('room:lobby', 'x'.repeat(11), ids);
    const page = await rig.open(app, LOBBY);
    await listsSizes(page, ['11 B', '10 B']);
    await page.click('text=Follow');
    await page.waitForSelector('.follow-state[data-state=on]');
    await app.sse.send('room:lobby', 'x'.repeat(12), ids);
    await app.sse.send('room:lobby', 'x'.repeat(12), ids);
    await listsSizes(page, ['12 B', '12 B', '11 B', '10 B']);
  });

  it('never show what they say without `showData`', async () => {
    const app = await startInspected(
      {},
      { client: () => ({ id: 'ada', info: { secret: 'sesame' } }) },
    );
    await app.connect('/rooms/lobby');
    await app.sse.send('room:lobby', { secret: 'sesame' });
    const page = await rig.open(app, LOBBY);
    const answers: Promise<string>[] = [];
    page.on('response', (response) => {
      if (!/live|follow/.test(response.url())) answers.push(response.text());
    });
    await listsSizes(page, ['19 B']);
    await page.click('text=Follow');
    await page.waitForSelector('.follow-state[data-state=on]');
    await app.sse.send('room:lobby', { secret: 'sesame' });
    await listsSizes(page, ['19 B', '19 B']);
    await page.click('#tab-readers');
    await page.waitForSelector('#part-readers [data-key=client] >> text=ada');
    const texts = await Promise.all(answers);
    expect(texts.some((text) => text.includes('room:lobby'))).toBe(true);
    expect(texts.filter((text) => text.includes('sesame'))).toEqual([]);
    expect(await page.content()).not.toContain('sesame');
    expect(await page.isVisible('#tab-send')).toBe(false);
  });

  it('show it with `showData`, as text, whatever it is', async () => {
    const app = await startInspected({ showData: true });
    const name = 'room:<img src=x onerror=alert(1)>';
    await app.sse.send(name, { html: '<script>alert(1)</script>' });
    const page = await rig.open(app);
    await page.click('[data-key=name] >> text=<img src=x');
    await page.click('.events summary');
    expect(await page.textContent('.events pre')).toBe(
      '{\n  "html": "<script>alert(1)</script>"\n}',
    );
    expect(await page.textContent('#detail-title')).toBe(name);
    expect(await page.$$('main img, main script')).toEqual([]);
  });

  it('are at most 500 in the document', async () => {
    const app = await startInspected();
    await app.sse.send('room:lobby', '-');
    const page = await rig.open(app, LOBBY);
    await listsSizes(page, ['1 B']);
    await page.click('text=Follow');
    await page.waitForSelector('.follow-state[data-state=on]');
    await page.evaluate(`import('/admin/sse/assets/event-lines.js').then(({ EventLines }) => {
      const lines = new EventLines();
      for (let n = 0; n < 1_200; n++) lines.add([{ id: String(n), size: n, at: n }]);
      document.querySelector('.events-scroll').replaceChildren(lines.element);
    })`);
    const ids = await page.$$eval('.events .id', (all) => all.map((id) => id.textContent));
    expect(ids).toHaveLength(500);
    expect([ids[0], ids.at(-1)]).toEqual(['1199', '700']);
  });
});

describe('the form', () => {
  it('sends an event to the readers, and says why it cannot', async () => {
    rig.expected = /status of 413/;
    const app = await startInspected(
      { send: true, showData: true },
      { limits: { eventSize: 2_000 } },
    );
    const client = await app.connect('/rooms/lobby');
    const page = await rig.open(app, `${LOBBY}&part=send`);
    await page.waitForSelector('text=Send to 1 reader');
    await page.fill('.send [name=type]', 'said');
    await page.fill('.send [name=data]', '{"text":"from the page"}');
    await page.click('.send button');
    await page.waitForSelector('.result[data-tone=good]');
    const event = await client.next();
    expect(event).toMatchObject({ type: 'said', data: '{"text":"from the page"}' });
    expect(await page.textContent('.result')).toBe(`Sent, with the id ${event.id}.`);

    await page.fill('.send [name=data]', 'not JSON');
    await page.click('.send button');
    await page.waitForSelector('.result >> text=The data is not JSON.');
    await page.check('.send [name=text]');
    await page.fill('.send [name=data]', 'x'.repeat(3_000));
    await page.click('.send button');
    await page.waitForSelector('.result >> text=Not sent. ');
    expect(await page.textContent('.result')).toMatch(/2,?000/);
    await page.fill('.send [name=data]', 'plain');
    await page.click('.send button');
    await page.waitForSelector('.result[data-tone=good]');
    expect(await client.next()).toMatchObject({ data: 'plain' });
  });
});
