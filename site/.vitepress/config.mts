import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitepress';
import { repositoryLinks } from '../repository-links.mjs';

const { version, description, repository } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);
const repositoryUrl = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');

/** GitHub's anchors, so that a link works in both places. */
const slugify = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

export default defineConfig({
  title: 'nestjs-sse-channels',
  description,
  lang: 'en',
  // SITE_BASE is the path that the site is served under, such as /nestjs-sse-channels/.
  base: process.env['SITE_BASE'] ?? '/',
  srcDir: 'pages',
  outDir: '../.cache/site/dist',
  cacheDir: '../.cache/site/vite',
  cleanUrls: true,
  head: [
    ['link', { rel: 'icon', href: 'data:,' }],
    ['meta', { name: 'theme-color', content: '#3451b2' }],
  ],
  ignoreDeadLinks: 'localhostLinks',
  markdown: {
    anchor: { slugify },
    config: (md) => repositoryLinks(md, `${repositoryUrl}/blob/main/`),
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: repositoryUrl }],
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Recipes', link: '/docs/recipes' },
      { text: 'API', link: '/api/' },
      { text: version, link: '/changelog' },
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          { text: 'Start', link: '/start' },
          { text: 'Compared with others', link: '/docs/comparison' },
          { text: 'Migrate to it', link: '/docs/migration' },
          { text: 'Sample', link: '/sample' },
        ],
      },
      {
        text: 'Use',
        items: [
          { text: 'Options, calls, errors', link: '/docs/options' },
          { text: 'Recipes', link: '/docs/recipes' },
          { text: 'With other packages', link: '/docs/packages' },
          { text: 'Typed channels', link: '/docs/typed-channels' },
          { text: 'State and changes', link: '/docs/state' },
          { text: 'Connections and clients', link: '/docs/connections' },
          { text: 'Channels that the request names', link: '/docs/requested-channels' },
          { text: 'The client', link: '/docs/client' },
          { text: 'Clients', link: '/docs/clients' },
          { text: 'React', link: '/docs/react' },
          { text: 'Proxies', link: '/docs/proxies' },
          { text: 'OpenAPI', link: '/docs/openapi' },
          { text: 'Compatibility', link: '/docs/compatibility' },
          { text: 'Error codes', link: '/docs/errors/' },
        ],
      },
      {
        text: 'Several instances',
        items: [
          { text: 'Brokers', link: '/docs/brokers' },
          { text: 'Operating', link: '/docs/operating' },
          { text: 'Health', link: '/docs/health' },
          { text: 'Inspector', link: '/docs/inspector' },
          { text: 'The command', link: '/docs/command' },
          { text: 'Redis', link: '/docs/redis' },
          { text: 'Postgres', link: '/docs/postgres' },
          { text: 'Operating Postgres', link: '/docs/operating-postgres' },
          { text: 'Sources and brokers of your own', link: '/docs/custom-sources' },
        ],
      },
      {
        text: 'Know',
        items: [
          { text: 'Guarantees', link: '/docs/guarantees' },
          { text: 'API reference', link: '/api/' },
          { text: 'Changelog', link: '/changelog' },
        ],
      },
      {
        text: 'Contribute',
        collapsed: true,
        items: [
          { text: 'Contributing', link: '/contributing' },
          { text: 'How it works inside', link: '/docs/internals/' },
          { text: 'Decisions', link: '/docs/internals/decisions' },
          { text: 'Glossary', link: '/docs/internals/glossary' },
        ],
      },
    ],
  },
});
