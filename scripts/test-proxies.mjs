import { runExternalTests } from './external-tests.mjs';

runExternalTests({
  programs: [
    { title: 'nginx', variable: 'NGINX', names: ['nginx'], package: 'nginx' },
    { title: 'HAProxy', variable: 'HAPROXY', names: ['haproxy'], package: 'haproxy' },
    {
      title: 'Apache',
      variable: 'APACHE',
      names: ['apache2'],
      package: 'apache2',
      isOptional: true,
    },
    { title: 'Caddy', variable: 'CADDY', names: ['caddy'], package: 'caddy', isOptional: true },
    {
      title: 'Varnish',
      variable: 'VARNISH',
      names: ['varnishd'],
      package: 'varnish',
      isOptional: true,
    },
    {
      title: 'Chromium',
      variable: 'CHROMIUM',
      names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'],
      package: 'chromium',
    },
  ],
  config: 'jest.proxies.config.mjs',
});
