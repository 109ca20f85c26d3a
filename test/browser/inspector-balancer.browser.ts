import { afterEach, describe, expect, it } from '@jest/globals';
import { endAppProcesses, startAppProcess } from '../redis/app-process.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/until.js';
import { startBalancer, type Balancer, type Choice } from './balancer.js';
import { InspectorRig, startInspected } from './inspector-rig.js';

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
