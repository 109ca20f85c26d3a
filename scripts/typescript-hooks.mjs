import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';
import { swcOptions } from './swc-options.mjs';

const RELATIVE = /^\.{1,2}\/.*\.js$/;
const TYPESCRIPT = /^file:.*(?<!\.d)\.ts$/;

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
  const { code } = await transform(await readFile(filename, 'utf8'), {
    ...swcOptions,
    filename,
    sourceMaps: 'inline',
  });
  return { format: 'module', source: code, shortCircuit: true };
}
