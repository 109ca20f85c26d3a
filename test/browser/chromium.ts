import { chromium, type Browser } from 'playwright-core';
import { CHROMIUM_FLAGS } from './engines.js';

/** Starts the Chromium that `npm run test:browser` has found, for Playwright to drive. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env['CHROMIUM']!, args: [...CHROMIUM_FLAGS] });
}
