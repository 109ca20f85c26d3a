// Makes the site in .cache/site/dist: `node site/build.mjs build`, or serves it while files change: `… dev`.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { checkLinks } from './check-links.mjs';
import { PAGES, root } from './pages.mjs';

const pages = join(root, 'site/pages');
const dist = join(root, '.cache/site/dist');
const command = process.argv[2];
if (command !== 'build' && command !== 'dev') {
  throw new Error(`The command is "build" or "dev", not ${JSON.stringify(command)}.`);
}

if (!existsSync(join(root, 'site/node_modules')))
  run('npm', ['ci', '--ignore-scripts', '--no-audit']);
rmSync(pages, { recursive: true, force: true });
run(process.execPath, [join(root, 'scripts/inline.mjs')]);
for (const file of PAGES.keys()) copy(file);
run(join(root, 'site/node_modules/.bin/typedoc'), []);
if (command === 'dev') {
  watch(root, { recursive: true }, (_event, file) => {
    if (file !== null && PAGES.has(file)) copy(file);
  });
  const { createServer } = await import('vitepress');
  const server = await createServer(join(root, 'site'), { host: 'localhost' });
  await server.listen();
  server.printUrls();
} else {
  const { build } = await import('vitepress');
  await build(join(root, 'site'));
  const { checked, broken } = checkLinks(dist, process.env.SITE_BASE ?? '/');
  for (const [target, page] of broken) console.error(`${target}, on ${page}, leads nowhere`);
  console.log(`${checked} links checked, ${broken.size} broken; the site is in ${dist}`);
  if (checked === 0 || broken.size > 0) process.exitCode = 1;
}

/** @param {string} file */
function copy(file) {
  const page = join(pages, PAGES.get(file));
  mkdirSync(dirname(page), { recursive: true });
  copyFileSync(join(root, file), page);
}

/** @param {string} program @param {string[]} args */
function run(program, args) {
  const { status, error } = spawnSync(program, args, {
    cwd: join(root, 'site'),
    stdio: 'inherit',
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
