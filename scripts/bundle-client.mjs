// Makes of lib/client what a browser loads: one file without imports, in place of the compiler's
// many; and the same minified, for pages without a build step.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** @param {string} root of the project, whose dist/ the compiler has filled */
export async function bundleClient(root) {
  const folder = join(root, 'dist/client');
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.js')) rmSync(join(folder, name));
  }
  for (const minify of [false, true]) {
    await build({
      entryPoints: [join(root, 'lib/client/index.ts')],
      outfile: join(folder, minify ? 'index.min.js' : 'index.js'),
      tsconfig: join(root, 'tsconfig.client.json'),
      bundle: true,
      minify,
      format: 'esm',
      platform: 'neutral',
      target: 'es2020',
      logLevel: 'warning',
    });
  }
}
