// Runs the applications of recipes/, which docs/packages.md shows, the pages of docs/client.md, and the page
// of sample/react, with the built package:
//   npm run test:recipes                                 all of them
//   npm run test:recipes -- throttler helmet             those with one of these words in their name
//   npm run test:recipes -- --json --outputFile=x.json   and writes what passed and failed
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = resolve(import.meta.dirname, '..');
/** Each has packages of its own. */
const FOLDERS = [
  'recipes',
  'recipes/nest-11',
  'recipes/databases',
  'recipes/react',
  'recipes/pages',
];
const NAME = 'nestjs-sse-channels';

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean' },
    outputFile: { type: 'string' },
    maxWorkers: { type: 'string', default: '2' },
  },
  allowPositionals: true,
});
const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name)),
).filter((file) => positionals.length === 0 || positionals.some((word) => file.includes(word)));
if (files.length === 0) throw new Error(`No recipe is called ${positionals.join(' or ')}.`);

const started = performance.now();
await Promise.all([run(root, process.execPath, 'scripts/build.mjs'), ...FOLDERS.map(install)]);
// The pages have the package of the folder above, as their server has: two copies would not fit.
FOLDERS.filter((folder) => folder !== 'recipes/pages').forEach(copyPackage);
await run(root, process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'recipes');
console.log(`built, installed and compiled in ${secondsSince(started)} s`);
await run(
  root,
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  '--import=./scripts/typescript.mjs',
  '--test',
  `--test-concurrency=${values.maxWorkers}`,
  // For a file as a whole as well: it ends what hangs.
  '--test-timeout=180000',
  '--test-reporter=spec',
  '--test-reporter-destination=stdout',
  '--test-reporter=./recipes/support/count-reporter.mjs',
  `--test-reporter-destination=${values.outputFile ?? '/dev/null'}`,
  ...files,
);
console.log(`${files.length} recipes in ${secondsSince(started)} s`);

/** Installs what the folder's lock file names, unless it is there. */
async function install(folder) {
  const path = join(root, folder);
  const installed = join(path, 'node_modules/.recipes');
  const state = createHash('sha1')
    .update(readFileSync(join(path, 'package-lock.json')))
    .digest('hex');
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== state) {
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
    await run(path, 'npm', 'ci', ...flags);
    writeFileSync(installed, state);
  }
}

/** Puts the package as it is built among the folder's: a link would lead to the project's own Nest. */
function copyPackage(folder) {
  const copy = join(root, folder, 'node_modules', NAME);
  rmSync(copy, { recursive: true, force: true });
  for (const name of ['package.json', 'dist']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
}

async function run(cwd, command, ...args) {
  const child = spawn(command, args, { cwd, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) process.exit(code ?? 1);
}

function secondsSince(time) {
  return Math.round((performance.now() - time) / 1000);
}
