import { describe, expect, it } from '@jest/globals';
import type { Page } from 'playwright-core';
import { InspectorRig, openChannels, startInspected } from './inspector-rig.js';

const rig = new InspectorRig();
const LONG = 'a-long-name-without-any-space-in-it:'.repeat(6);
const LOOKS = ['', '#tab=connections', `#open=${LONG}`, `#open=${LONG}&part=send`];

/** The texts of the page with less contrast to what is behind them than 4.5:1, as WCAG's AA asks. */
const PALE = `(() => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return (color.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a]);
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
  const behind = (element) => {
    if (!element) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(element.parentElement));
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
  const pale = [];
  let seen = 0;
  for (const element of document.querySelectorAll('body *')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    if (element.closest('option, :disabled')) continue;
    seen += 1;
    const back = behind(element);
    const pair = [light(over(parse(getComputedStyle(element).color), back)), light(back)].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) pale.push(element.className + ' ' + element.textContent.slice(0, 30) + ' ' + contrast.toFixed(2));
  }
  return { pale, seen };
})()`;

/** The texts beside the lists that are cut, or that one would have to scroll to. */
const CUT = `[...document.querySelectorAll('.reason, .why, .facts dd, .channel-facts dd, .card-scroll')]
  .filter((element) => element.checkVisibility())
  .filter(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) =>
    scrollWidth > clientWidth || scrollHeight > clientHeight)
  .map((element) => element.className + ' ' + element.textContent)`;

async function startLooks(): ReturnType<typeof startInspected> {
  const app = await startInspected({ send: true, showData: true });
  await openChannels(app, 60);
  await app.sse.send(LONG, { text: LONG });
  await app.connect('/rooms/lobby');
  return app;
}

/** Waits until the page shows what the look is about. */
function isShown(page: Page, look: string): Promise<unknown> {
  const part = look.includes('open=')
    ? '.channel-facts dd:not(:text-is("–"))'
    : `#${look === '' ? 'channels' : 'connections'} [role=gridcell] >> text=:`;
  return page.waitForSelector(part);
}

it.each([360, 1_280])('no reason and no number is cut with %d pixels', async (width) => {
  const app = await startInspected({}, { client: () => ({ id: 'ada' }) });
  await app.sse.send(LONG, 1, { id: `an-id-without-any-space-in-it:${'x'.repeat(40)}` });
  await (await app.connect('/rooms/attic')).close();
  await app.connect('/closed');
  await app.connect('/rooms/cellar');
  await app.sse.disconnect({ client: 'ada' });
  const page = await rig.open(app, `#open=${LONG}`, { viewport: { width, height: 740 } });
  await isShown(page, '#open=');
  for (const reason of ['client-left', 'completed', 'revoked']) {
    await page.waitForSelector(`.reasons .reason >> text=${reason}`);
  }
  expect(await page.evaluate(CUT)).toEqual([]);
  const most = `getComputedStyle(document.querySelector('.card-scroll:has(.reasons)')).maxHeight`;
  expect(await page.evaluate(most)).toBe('none');
});

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  it('every text has contrast', async () => {
    const app = await startLooks();
    for (const look of LOOKS) {
      const page = await rig.open(app, look, { colorScheme });
      await isShown(page, look);
      const { pale, seen } = await page.evaluate<{ pale: string[]; seen: number }>(PALE);
      expect(pale).toEqual([]);
      expect(seen).toBeGreaterThan(60);
    }
  });

  it.each([360, 768, 1_440])('nothing is beyond the edge of %d pixels', async (width) => {
    const app = await startLooks();
    for (const look of LOOKS) {
      const page = await rig.open(app, look, { colorScheme, viewport: { width, height: 740 } });
      await isShown(page, look);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      const ground = await page.evaluate<string>(
        'getComputedStyle(document.documentElement).backgroundColor',
      );
      expect(ground).toBe(colorScheme === 'light' ? 'rgb(243, 245, 249)' : 'rgb(14, 17, 23)');
    }
  });
});
