import base from './jest.config.mjs';

// The sample is tested in Chromium; `npm run test:browser` says so when there is none.
const tests = process.env.CHROMIUM ? '*.browser.ts' : '{event-source,client}.browser.ts';

/** @type {import('jest').Config} */
export default {
  ...base,
  testMatch: [`<rootDir>/test/browser/**/${tests}`],
  testTimeout: 60_000,
};
