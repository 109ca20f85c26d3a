import { publicFolder } from './public-folder.js';

let script: Promise<string> | undefined;

/**
 * The client for browsers as one script. In an app of yours a bundler takes it from
 * `nestjs-sse-channels/client`, or you serve the package's `dist/client/index.min.js`.
 */
export function clientScript(): Promise<string> {
  script ??= bundle();
  return script;
}

async function bundle(): Promise<string> {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [`${publicFolder('public')}/../../lib/client/index.ts`],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return outputFiles[0]!.text;
}
