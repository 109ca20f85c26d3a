// Compiles lib/ to dist/. The compiler keeps the first line of cli.ts but not the file's mode.
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import './inline.mjs';

const root = resolve(import.meta.dirname, '..');
rmSync(resolve(root, 'dist'), { recursive: true, force: true });
const tsc = ['tsc', '-p', 'tsconfig.build.json'];
process.exitCode = spawnSync('npx', tsc, { cwd: root, stdio: 'inherit' }).status ?? 1;
if (process.exitCode === 0) chmodSync(resolve(root, 'dist/cli.js'), 0o755);
