// Compiles lib/ to dist/. The compiler keeps the first line of cli.ts but not the file's mode.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import './inline.mjs';
import { bundleClient } from './bundle-client.mjs';

const root = resolve(import.meta.dirname, '..');
rmSync(resolve(root, 'dist'), { recursive: true, force: true });
// The second finds what of lib/client only Node has.
const isCompiled = ['tsconfig.build.json', 'tsconfig.client.json'].every(compile);
if (isCompiled) {
  chmodSync(resolve(root, 'dist/cli.js'), 0o755);
  await bundleClient(root);
} else process.exitCode = 1;

function compile(config) {
  return spawnSync('npx', ['tsc', '-p', config], { cwd: root, stdio: 'inherit' }).status === 0;
}
