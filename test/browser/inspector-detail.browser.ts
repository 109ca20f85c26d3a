import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { plain } from '../../lib/channel/plain-text.js';
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

describe('characters that nobody sees', () => {
  it('are shown wherever the page shows a text', async () => {
    const app = await startInspected(
      { showData: true },
      { client: () => ({ id: 'ada\u200b\u{e0041}', info: { name: 'A\u2067da' } }) },
    );
    const channel = 'room:\u202egnp';
    await app.connect(`/rooms/${encodeURIComponent('\u202egnp')}`);
    const data = { text: 'x\u202ey'.repeat(100) };
    await app.sse.send(channel, data, { type: 'sa\u00adid', id: '1\ufeff' });
    const page = await rig.open(app, `#filter=${encodeURIComponent('\u202eg')}`);
    const cell = '#channels .grid-body [data-key=name]';
    await page.waitForSelector(cell);
    expect(await page.textContent(cell)).toBe('room:\\u202egnp');
    expect(await page.getAttribute(cell, 'title')).toBe('room:\\u202egnp');
    const field = '#channels input[type=search]';
    expect(await page.inputValue(field)).toBe('\u202eg');
    expect(await page.getAttribute(field, 'title')).toBe('\\u202eg');

    await page.click(cell);
    expect(await page.textContent('#detail-title')).toBe('room:\\u202egnp');
    await page.click('.events summary');
    await page.waitForSelector('.events pre');
    expect(await page.textContent('.events .id')).toBe('1\\ufeff');
    expect(await page.textContent('.events .type')).toBe('sa\\xadid');
    expect(await page.textContent('.events pre')).toBe(plainLines(JSON.stringify(data, null, 2)));
    await allIsSeen(page);

    await page.click('#tab-connections');
    const client = '#connections .grid-body [data-key=client]';
    await page.waitForSelector(client);
    expect(await page.textContent(client)).toBe('ada\\u200b\\u{e0041}');
    expect(await page.textContent('#connections .grid-body [data-key=info]')).toBe(
      '{"name":"A\\u2067da"}',
    );
    await allIsSeen(page);

    await page.click('#tab-channels');
    await page.fill(field, '\u202enobody');
    await page.waitForSelector('text=nobody” in its name.');
    expect(await page.textContent('#channels .empty')).toBe(
      'No channel has “\\u202enobody” in its name.',
    );
    await allIsSeen(page);
  });
});

function plainLines(text: string): string {
  return text.split('\n').map(plain).join('\n');
}

/** Nothing in the document's texts and attributes is hidden. */
async function allIsSeen(page: Page): Promise<void> {
  const content = await page.content();
  expect(content).toContain('u202e');
  expect(plainLines(content)).toBe(content);
}

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
