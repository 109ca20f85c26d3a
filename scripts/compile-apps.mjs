// Compiles what the processes run that tests start, to dist-tests/. Such a process starts in half
// the time, and with less than half the work, of one that compiles while it loads.
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { swcOptions } from './swc-options.mjs';

const root = resolve(import.meta.dirname, '..');
/** The samples find their pages from a folder at this depth. */
const COMPILED = join(root, 'dist-tests');
const FOLDERS = ['lib', 'sample', 'test'];
/** Runs in browsers, with packages of its own. */
const PAGE = join(root, 'sample/react/');
const SOURCE = /(?<!\.test|\.d)\.ts$/;
const OPTIONS = JSON.stringify(swcOptions);

/** Compiles the files that have changed since it compiled them. */
export async function compileApps() {
  const changed = FOLDERS.flatMap(sources).filter(({ head, target }) => !beginsWith(target, head));
  if (changed.length === 0) return;
  const { transformSync } = await import('@swc/core');
  for (const { filename, source, head, target } of changed) {
    const { code } = transformSync(source, { ...swcOptions, filename });
    mkdirSync(dirname(target), { recursive: true });
    // In one step: another run of the tests may do the same at this moment.
    const scratch = `${target}.${randomUUID()}`;
    writeFileSync(scratch, head + code);
    renameSync(scratch, target);
  }
}

function sources(folder) {
  // With their types it follows no link: one of sample/react leads back to the root.
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((filename) => SOURCE.test(filename) && !filename.startsWith(PAGE))
    .map((filename) => {
      const source = readFileSync(filename, 'utf8');
      const digest = createHash('sha1').update(`${OPTIONS}\0${source}`).digest('hex');
      const target = join(COMPILED, relative(root, filename).replace(/ts$/, 'js'));
      return { filename, source, head: `// ${digest}\n`, target };
    });
}

function beginsWith(file, head) {
  return existsSync(file) && readFileSync(file, 'utf8').startsWith(head);
}
