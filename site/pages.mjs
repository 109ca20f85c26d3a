import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .map((name) => `docs/${name}`)
  .filter((name) => name.endsWith('.md'));

/** The files of the repository that the site shows, each with the page that it becomes. */
export const PAGES = new Map([
  ['site/index.md', 'index.md'],
  ['README.md', 'start.md'],
  ['CHANGELOG.md', 'changelog.md'],
  ['CONTRIBUTING.md', 'contributing.md'],
  ['SECURITY.md', 'security.md'],
  ['sample/README.md', 'sample.md'],
  ['docs/bench.svg', 'public/docs/bench.svg'],
  ['docs/inspector-dark.png', 'public/docs/inspector-dark.png'],
  ['docs/inspector-light.png', 'public/docs/inspector-light.png'],
  ...inDocs.map((name) => [name, name.replace(/README\.md$/, 'index.md')]),
]);
