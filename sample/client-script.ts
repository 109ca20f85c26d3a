import { publicFolder } from './public-folder.js';

let script: Promise<string> | undefined;

/**
 * The client for browsers, and the channels that the pages read, as one script. In an app of yours a bundler
 * makes it; without one, serve the package's `dist/client/index.min.js`.
 */
export function clientScript(): Promise<string> {
  script ??= bundle();
  return script;
}

async function bundle(): Promise<string> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [`${publicFolder('public')}/../page-modules.ts`],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0]!.text;
}
