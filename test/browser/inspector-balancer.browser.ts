import { afterEach, describe, expect, it } from '@jest/globals';
import { endAppProcesses, startAppProcess } from '../redis/app-process.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/until.js';
import { startBalancer, type Balancer, type Choice } from './balancer.js';
import { InspectorRig, look, startInspected } from './inspector-rig.js';

const rig = new InspectorRig();
const LOBBY = '#open=room%3Alobby';
let balancer: Balancer | undefined;

afterEach(async () => {
  await balancer?.close();
  balancer = undefined;
  await endAppProcesses();
});

async function balance(choose: (path: string) => Choice): Promise<Balancer> {
  balancer = await startBalancer(choose);
  return balancer;
}

/** Another instance than those of this process. */
const startOther = () => startAppProcess('', {}, [compiled('test/browser/inspected-app.ts')]);

describe('behind a balancer', () => {
  it('the page tells which instance answers when its stream comes back from another', async () => {
    rig.expected = /net::ERR_/;
    const [app, other] = [await startInspected(), await startOther()];
    const front = await balance(() => app.url);
    const page = await rig.open(front);
    const first = await page.textContent('#instance');
    front.choose = () => other.url;
    front.cut();
    await page.waitForSelector(`#instance >> text=:${other.pid}`);
    const second = await page.textContent('#instance');
    expect(second).not.toBe(first);
    await until(
      async () => (await page.textContent('#said')) === `Another instance answers now: ${second}.`,
      { what: 'the name of the instance', every: 50 },
    );
  });

  it('the facts of a channel stay those of the instance whose numbers are shown', async () => {
    const [app, other] = [await startInspected(), await startOther()];
    await app.sse.send('room:lobby', 'x');
    let turn = 0;
    const asked = '/admin/sse/channels?channel=room%3Alobby';
    const front = await balance((path) =>
      path === asked && turn++ % 2 === 1 ? other.url : app.url,
    );
    const page = await rig.open(front, LOBBY);
    const fact = '.channel-facts div:has(dt:text-is("Received")) dd';
    await page.waitForSelector(`${fact} >> text="1"`);
    await page.evaluate(`
      globalThis.seen = [];
      const facts = document.querySelector('.channel-facts');
      new MutationObserver(() => seen.push(facts.textContent))
        .observe(document.querySelector('#detail'), { subtree: true, childList: true, attributes: true, attributeFilter: ['hidden'] });`);
    const from = front.count(asked);
    await until(() => front.count(asked) >= from + 10, {
      what: 'answers of both instances',
      every: 50,
    });
    const shown = (await page.evaluate('seen')) as string[];
    expect(shown.filter((text) => text.includes('Received–'))).toEqual([]);
    expect(await page.isVisible('text=This channel is not open on this instance.')).toBe(false);
  });
});

describe('following', () => {
  const follows = (state: string): string => `.follow-state[data-state=${state}]`;
  const size = (bytes: number): string => `.events .size >> text="${bytes} B"`;

  it.each([
    [502, /^The server has answered with 502\. Trying again every \d s\.$/],
    [404, /^The server has answered with 404\. Trying again every \d s\.$/],
    [403, /^You may not do this \(403\)\. Trying again every \d s\.$/],
  ])('goes on after answers with %i, and says why it does not', async (status, why) => {
    rig.expected = /net::ERR_|status of|EventSource/;
    const app = await startInspected();
    await app.sse.send('room:lobby', 'x'.repeat(10));
    const front = await balance(() => app.url);
    const page = await rig.open(front, LOBBY);
    await page.click('text=Follow');
    await page.waitForSelector(follows('on'));
    front.choose = (path) => (/follow|history/.test(path) ? status : app.url);
    front.cut();
    await until(async () => why.test((await page.textContent('.follow-state')) ?? ''), {
      what: 'the reason',
      every: 50,
    });
    expect(await page.getAttribute('.follow-state', 'data-state')).toBe('away');
    front.choose = () => app.url;
    await page.waitForSelector(follows('on'));
    await app.sse.send('room:lobby', 'x'.repeat(11));
    await page.waitForSelector(size(11));
  });

  it('waits where the channel is not open after a restart', async () => {
    rig.expected = /net::ERR_|status of|EventSource/;
    const [app, next] = [await startInspected(), await startInspected()];
    await app.sse.send('room:lobby', 'x'.repeat(10));
    const front = await balance(() => app.url);
    const page = await rig.open(front, LOBBY);
    await page.click('text=Follow');
    await page.waitForSelector(follows('on'));
    front.choose = () => next.url;
    front.cut();
    await page.waitForSelector(
      `${follows('away')} >> text=The channel "room:lobby" is not open on this instance. Trying again every`,
    );
    await next.sse.send('room:lobby', 'x'.repeat(11));
    await page.waitForSelector(follows('on'));
    await next.sse.send('room:lobby', 'x'.repeat(12));
    await page.waitForSelector(size(12));
  });

  it('takes no place while nobody looks', async () => {
    const app = await startInspected();
    await app.sse.send('room:lobby', 'x'.repeat(10));
    const page = await rig.open(app, LOBBY);
    await page.click('text=Follow');
    await page.waitForSelector(follows('on'));
    const closed = page.waitForEvent('requestfailed', (request) =>
      request.url().includes('/follow'),
    );
    await look(page, false);
    await closed;
    await app.sse.send('room:lobby', 'x'.repeat(11));
    expect(await page.$$(size(11))).toEqual([]);
    await look(page, true);
    await page.waitForSelector(size(11));
    await app.sse.send('room:lobby', 'x'.repeat(12));
    await page.waitForSelector(size(12));
    expect(await page.getAttribute('.follow-state', 'data-state')).toBe('on');
  });
});
