// Makes of lib/client what a browser loads: one file without imports, in place of the compiler's
// many; and the same minified, for pages without a build step. And of lib/react one file that imports
// React only. The client's private members have short names there.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { privateNames } from './private-names.mjs';

/** @param {string} root of the project, whose dist/ the compiler has filled */
export async function bundleClient(root) {
  for (const minify of [false, true]) await bundle(root, 'client', { minify });
  // Frameworks that render on a server look for this line.
  await bundle(root, 'react', { external: ['react'], banner: { js: "'use client';" } });
  // What the command has of the client, whose own files are gone.
  await build({
    entryPoints: [join(root, 'lib/cli/client-parts.ts')],
    outfile: join(root, 'dist/cli/client-parts.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    logLevel: 'warning',
  });
}

async function bundle(root, name, options) {
  const folder = join(root, 'dist', name);
  const file = options.minify ? 'index.min.js' : 'index.js';
  for (const other of readdirSync(folder)) {
    if (other.endsWith('.js') && !other.startsWith('index.')) rmSync(join(folder, other));
  }
  await build({
    ...bundleOptions(root, name),
    outfile: join(folder, file),
    ...options,
  });
}

/** How the client, or the hooks, are built. */
export function bundleOptions(root, name) {
  const source = join(root, 'lib', name);
  const names = privateNames(source);
  return {
    entryPoints: [join(source, 'index.ts')],
    tsconfig: join(root, 'tsconfig.client.json'),
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2020',
    logLevel: 'warning',
    ...(names.length > 0 && { mangleProps: new RegExp(`^(${names.join('|')})$`) }),
  };
}
