import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { swcOptions } from './swc-options.mjs';

const RELATIVE = /^\.{1,2}\/.*\.js$/;
const TYPESCRIPT = /^file:.*(?<!\.d)\.ts$/;
/** What was compiled before, by source and options: a process starts in half the time. */
const CACHE = new URL('../.cache/typescript/', import.meta.url);
const OPTIONS = JSON.stringify(swcOptions);

/** TypeScript names the file that will be there once it is compiled: find the one that is. */
export async function resolve(specifier, context, next) {
  if (RELATIVE.test(specifier) && TYPESCRIPT.test(context.parentURL ?? '')) {
    try {
      return await next(specifier.replace(/\.js$/, '.ts'), context);
    } catch (error) {
      if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!TYPESCRIPT.test(url) || url.includes('/node_modules/')) return next(url, context);
  const filename = fileURLToPath(url);
  const source = await readFile(filename, 'utf8');
  const name = createHash('sha1').update(`${OPTIONS}\0${filename}\0${source}`).digest('hex');
  const cached = new URL(`${name}.js`, CACHE);
  const code =
    (await readFile(cached, 'utf8').catch(() => undefined)) ??
    (await compile(source, filename, cached));
  return { format: 'module', source: code, shortCircuit: true };
}

async function compile(source, filename, cached) {
  const { transform } = await import('@swc/core');
  const { code } = await transform(source, { ...swcOptions, filename, sourceMaps: 'inline' });
  // In one step: another process may look for it at this moment.
  const scratch = new URL(`${randomUUID()}.tmp`, CACHE);
  await mkdir(CACHE, { recursive: true })
    .then(() => writeFile(scratch, code))
    .then(() => rename(scratch, cached))
    .catch(() => undefined);
  return code;
}
