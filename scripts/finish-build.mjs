// The compiler keeps the first line of cli.ts but not the file's mode.
import { chmodSync, existsSync } from 'node:fs';

if (existsSync('dist/cli.js')) chmodSync('dist/cli.js', 0o755);
