import { describe, expect, it } from '@jest/globals';
import { Chromium, type ChromiumOptions } from './chromium.js';
import type { TabBrowser } from './tab.js';
import { startFirefox } from './tab-browsers.js';
import { FORBIDDEN, TabsRig } from './tabs-rig.js';

/** A browser as some people have set it up. */
interface Setup {
  readonly name: string;
  readonly start: () => Promise<TabBrowser>;
}

const ofChromium = (options: ChromiumOptions): Setup[] =>
  process.env['CHROMIUM'] ? [{ name: 'Chromium', start: () => Chromium.start(options) }] : [];

const ofFirefox = (preferences: Record<string, boolean | number>): Setup[] =>
  process.env['FIREFOX'] ? [{ name: 'Firefox', start: () => startFirefox(preferences) }] : [];

// The driver of WebKit opens private tabs only: all tests of its tabs are about those.
describe.each([
  ...ofChromium({ isPrivate: true }),
  ...ofFirefox({ 'browser.privatebrowsing.autostart': true }),
])('private tabs of $name', ({ start }) => {
  const rig = new TabsRig(start);

  it('have one connection as others, and hand it over', async () => {
    await rig.openMany(3);
    rig.app.publish();
    await rig.sendMore();
    await (await rig.takeLeader()).tab.close();
    await rig.leader();
    await rig.sendMore();
    await rig.expectWhole();
    for (const tab of rig.tabs) expect((await tab.shown()).fallbacks).toEqual([]);
  });
});

describe.each([
  ...ofChromium({ preferences: { profile: { default_content_setting_values: { cookies: 2 } } } }),
  // All cookies are refused, and all else that a page may store.
  ...ofFirefox({ 'network.cookie.cookieBehavior': 2 }),
])('tabs of a $name that stores nothing', ({ start }) => {
  const rig = new TabsRig(start);

  it('have a connection each, and say so', () => rig.expectAlone(rig.app.page(), FORBIDDEN));
});
