import { runExternalTests } from './external-tests.mjs';

runExternalTests({
  programs: [
    {
      title: 'Chromium',
      variable: 'CHROMIUM',
      names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
      package: 'chromium',
    },
    {
      title: 'Firefox',
      variable: 'FIREFOX',
      names: ['firefox-esr', 'firefox'],
      package: 'firefox-esr',
    },
    {
      title: 'WebKit',
      variable: 'WEBKIT',
      names: ['MiniBrowser'],
      package: 'libwebkit2gtk-4.1-0',
    },
    {
      title: 'driver of WebKit, for its tabs,',
      variable: 'WEBKIT_DRIVER',
      names: ['WebKitWebDriver'],
      package: 'webkit2gtk-driver',
    },
    {
      title: 'X server without a screen, which WebKit needs,',
      variable: 'XVFB',
      names: ['Xvfb'],
      package: 'xvfb',
    },
  ],
  config: 'jest.browser.config.mjs',
});
