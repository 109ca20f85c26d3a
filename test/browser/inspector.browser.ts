import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import {
  InspectorRig,
  look,
  namesIn,
  openChannels,
  rowOf,
  startInspected,
} from './inspector-rig.js';

const rig = new InspectorRig();

/** Waits until the list shows these channels and no other. */
function lists(page: Page, names: readonly string[]): Promise<unknown> {
  return until(async () => JSON.stringify(await namesIn(page)) === JSON.stringify(names), {
    what: `the channels ${names.join(', ')}`,
    every: 50,
  });
}

describe('the channels', () => {
  it('appear and change', async () => {
    const app = await startInspected();
    const page = await rig.open(app);
    await page.waitForSelector('text=No channel is open.');
    await app.connect('/rooms/lobby');
    await lists(page, ['room:lobby']);
    expect(await rowOf(page, 'room:lobby')).toMatchObject({ readers: '1', events: '0' });
    await app.connect('/rooms/lobby');
    for (let n = 0; n < 12; n++) await app.sse.send('room:lobby', { n });
    await until(
      async () => {
        const { readers, events } = await rowOf(page, 'room:lobby');
        return readers === '2' && events === '12';
      },
      { what: 'two readers and twelve events', every: 50 },
    );
    expect(await page.textContent('#total')).toBe('1 channel');
  });

  it('are filtered and sorted, and the address tells how', async () => {
    const app = await startInspected();
    for (const [name, events] of Object.entries({ 'user:1': 1, 'user:2': 5, 'job:1': 3 })) {
      for (let n = 0; n < events; n++) await app.sse.send(name, n);
    }
    const page = await rig.open(app);
    await lists(page, ['job:1', 'user:1', 'user:2']);
    await page.keyboard.press('/');
    await page.keyboard.type('USER');
    await lists(page, ['user:1', 'user:2']);
    await page.click('#channels [data-key=events] button');
    await lists(page, ['user:2', 'user:1']);
    expect(
      await page.getAttribute('#channels [role=columnheader][data-key=events]', 'aria-sort'),
    ).toBe('descending');
    expect(new URL(page.url()).hash).toBe('#filter=USER&sort=events');

    await page.reload();
    await lists(page, ['user:2', 'user:1']);
    await page.fill('#channels input[type=search]', 'nobody');
    await page.waitForSelector('text=No channel has “nobody” in its name.');
  });

  it('scroll to the last of 10,000, with some dozens of rows in the document', async () => {
    const app = await startInspected();
    await openChannels(app, 10_000);
    const page = await rig.open(app);
    await page.waitForSelector('text=load:00000');
    expect(await page.getAttribute('#channels .grid', 'aria-rowcount')).toBe('10001');
    await page.$eval('#channels .grid', (grid) => (grid.scrollTop = grid.scrollHeight));
    await page.waitForSelector('[role=row][aria-rowindex="10001"] >> text=load:09999');
    await page.$eval('#channels .grid', (grid) => (grid.scrollTop = grid.scrollHeight / 2));
    await page.waitForSelector('text=load:05000');
    const rows = await page.$$eval('#channels [role=row]', ({ length }) => length);
    expect(rows).toBeGreaterThan(15);
    expect(rows).toBeLessThan(60);
  });
});

describe('by keyboard', () => {
  it('a row is chosen, opened, and left again', async () => {
    const app = await startInspected();
    await openChannels(app, 500);
    const page = await rig.open(app, '#part=readers');
    await page.waitForSelector('text=load:00000');
    const active = (): Promise<string> =>
      page.$eval('#channels .grid', (grid) => {
        const id = grid.getAttribute('aria-activedescendant') ?? '';
        return grid.ownerDocument.getElementById(id)?.getAttribute('aria-rowindex') ?? '';
      });
    await page.focus('#channels .grid');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await active()).toBe('3');
    await page.keyboard.press('End');
    await page.waitForSelector('[role=row][aria-rowindex="501"] >> text=load:00499');
    expect(await active()).toBe('501');
    await page.keyboard.press('Home');
    await page.waitForSelector('[role=row][aria-rowindex="2"] >> text=load:00000');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#detail-title:focus >> text=load:00000');
    await page.waitForSelector('[role=row][aria-selected=true] >> text=load:00000');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#channels .grid:focus');
    expect(await page.isVisible('#detail')).toBe(false);
  });

  it('tabs are changed by arrows, and Back goes to the one before', async () => {
    const app = await startInspected();
    await app.connect('/rooms/lobby');
    const page = await rig.open(app);
    await page.focus('#tab-channels');
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('#tab-connections[aria-selected=true]:focus');
    await page.waitForSelector('#connections [data-key=channels] >> text=room:lobby');
    await page.goBack();
    await page.waitForSelector('#tab-channels[aria-selected=true]');
  });
});

describe('the connections', () => {
  it('are filtered by channel, and lead to their channel', async () => {
    const app = await startInspected({}, { client: () => 'ada' });
    await app.connect('/rooms/lobby');
    await app.connect('/rooms/attic');
    const page = await rig.open(app, '#tab=connections');
    const channels = '#connections [role=gridcell][data-key=channels]';
    await page.waitForSelector(`${channels} >> text=room:attic`);
    await page.fill('#connections input >> nth=0', 'room:lobby');
    await page.waitForSelector('#total >> text=1 connection');
    await page.click(`${channels} >> text=room:lobby`);
    await page.waitForSelector('#detail-title >> text=room:lobby');
    await page.waitForSelector('#part-readers [data-key=client] >> text=ada');
  });

  it('have a column for what is known of clients only where something is', async () => {
    const app = await startInspected(
      { showData: true },
      { client: ({ query }) => ({ id: 'ada', ...(query['plan'] && { info: query['plan'] }) }) },
    );
    const client = await app.connect('/rooms/lobby');
    const page = await rig.open(app, '#tab=connections');
    await page.waitForSelector('#connections [data-key=channels] >> text=room:lobby');
    const heading = '#connections [role=columnheader][data-key=info]';
    expect(await page.isVisible(heading)).toBe(false);
    const paying = await app.connect('/rooms/attic?plan=gold');
    await page.waitForSelector('#connections [role=gridcell][data-key=info] >> text=gold');
    expect(await page.isVisible(heading)).toBe(true);
    await paying.close();
    await page.waitForSelector(heading, { state: 'hidden' });
    await client.close();
  });

  it.each(['Slow clients', 'Stalled'])('are a click away from %s, by lag', async (number) => {
    const app = await startInspected({}, { client: () => 'ada' });
    await app.connect('/rooms/lobby');
    const page = await rig.open(app);
    await page.click(`#facts a >> text=${number}`);
    await page.waitForSelector('#connections [role=gridcell][data-key=client] >> text=ada');
    await page.waitForSelector('#connections [data-key=lag][aria-sort=descending]');
    await page.goBack();
    await page.waitForSelector('#tab-channels[aria-selected=true]');
  });
});

describe('the connection to the server', () => {
  it('comes back by itself after a restart', async () => {
    rig.expected = /net::ERR_/;
    const app = await startInspected();
    await app.sse.send('before', 1);
    const page = await rig.open(app);
    await lists(page, ['before']);
    const port = Number(new URL(app.url).port);
    await app.close();
    await page.waitForSelector('#stream[data-state=away]');
    expect(await page.textContent('#notice')).toMatch(/^The connection to the server is lost\./);
    const again = await startInspected({}, {}, port);
    await again.sse.send('after', 1);
    await page.waitForSelector('#stream[data-state=live]');
    await lists(page, ['after']);
    expect(await page.isVisible('#notice')).toBe(false);
  });

  it.each(['<h1>Log in</h1>', 'null', '{"total":1,"rows":[null]}'])(
    'is one to something else, which answers with %s',
    async (body) => {
      rig.expected = /EventSource/;
      const app = await startInspected();
      await app.sse.send('news', 1);
      const page = await rig.open(app);
      await lists(page, ['news']);
      const routes = /\/admin\/sse\/(live|channels)/;
      const contentType = body.startsWith('<') ? 'text/html' : 'application/json';
      await page.route(routes, (route) => route.fulfill({ contentType, body }));
      await page.reload();
      await page.waitForSelector('#stream[data-state=refused]');
      expect(await page.textContent('#notice')).toMatch(/^Something else than the inspector has /);
      await page.waitForSelector(
        '#channels >> text=Something else than the inspector has answered',
      );
      await page.unroute(routes);
      await page.waitForSelector('#stream[data-state=live]');
      await lists(page, ['news']);
    },
  );

  it('is not used while nobody looks', async () => {
    const app = await startInspected();
    await app.sse.send('seen', 1);
    const page = await rig.open(app);
    await lists(page, ['seen']);
    const asked: string[] = [];
    const closed = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/live'));
    await look(page, false);
    await closed;
    page.on('request', (request) => asked.push(request.url()));
    await app.sse.send('unseen', 1);
    // Three beats in which it would have asked.
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 3_000))');
    expect(asked).toEqual([]);
    await look(page, true);
    await lists(page, ['seen', 'unseen']);
  });
});
