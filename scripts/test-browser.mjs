import { runExternalTests } from './external-tests.mjs';

runExternalTests({
  title: 'Chromium',
  variable: 'CHROMIUM',
  names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
  package: 'chromium',
  config: 'jest.browser.config.mjs',
});
