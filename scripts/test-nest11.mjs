// Runs the tests on Nest 11, in a copy of the project that has it installed:
//   npm run test:nest11                            all of `npm test`
//   npm run test:nest11 -- test/endpoint           arguments go to Jest
//   npm run test:nest11 -- --run test:browser      another script of package.json
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { NEST_11 } from './nest-versions.mjs';

const root = resolve(import.meta.dirname, '..');
const copy = join(root, '.cache/nest-11');
/** Of the project's folders these are made, not written; the copy makes its own. */
const MADE = /^(node_modules|\.git|\.cache|coverage|dist.*)$/;
const INSTALLED = join(copy, 'node_modules/.nest-11');

const args = process.argv.slice(2);
const script = args[0] === '--run' ? args.splice(0, 2)[1] : 'test';

copyProject();
install();
showVersions();
process.exitCode = run('npm', 'run', script, '--', ...args);

/** The copy keeps its node_modules and caches from run to run. */
function copyProject() {
  mkdirSync(copy, { recursive: true });
  for (const name of written(copy)) rmSync(join(copy, name), { recursive: true });
  for (const name of written(root)) {
    cpSync(join(root, name), join(copy, name), {
      recursive: true,
      filter: (path) => basename(path) !== 'node_modules',
    });
  }
}

function written(folder) {
  return readdirSync(folder).filter((name) => !MADE.test(name));
}

/** Installs what package.json and the lock file name, with the packages of Nest 11 in their place. */
function install() {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const lock = readFileSync(join(root, 'package-lock.json'));
  for (const name of Object.keys(manifest.devDependencies)) {
    manifest.devDependencies[name] = NEST_11[name] ?? manifest.devDependencies[name];
  }
  const text = JSON.stringify(manifest, null, 2);
  writeFileSync(join(copy, 'package.json'), text);
  const state = createHash('sha1').update(text).update(lock).digest('hex');
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, 'utf8') === state) return;
  if (
    run('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline') !== 0
  ) {
    throw new Error(
      'npm cannot install the project with the versions of scripts/nest-versions.mjs',
    );
  }
  writeFileSync(INSTALLED, state);
}

/** @throws when the copy would test another Nest than 11 */
function showVersions() {
  for (const name of ['@nestjs/common', '@nestjs/core', '@nestjs/testing']) {
    const manifest = join(copy, 'node_modules', name, 'package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
    console.log(`${name} ${version}`);
    if (!version.startsWith('11.')) throw new Error(`${name} is not of Nest 11`);
  }
}

function run(command, ...parameters) {
  return spawnSync(command, parameters, { cwd: copy, stdio: 'inherit' }).status ?? 1;
}
