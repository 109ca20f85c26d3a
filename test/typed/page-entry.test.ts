import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { projectRoot } from '../support/project-root.js';

const ENTRY = 'lib/typed/index.ts';

describe('the entry ./channel', () => {
  it('is a module that a page can load: small, and without Nest, Node or any package', async () => {
    const { outputFiles, metafile } = await build({
      absWorkingDir: projectRoot,
      stdin: {
        contents: `export * from './${ENTRY}';`,
        resolveDir: projectRoot,
      },
      platform: 'browser',
      format: 'esm',
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      outfile: resolve(projectRoot, '.cache/page-entry.js'),
    });
    const folders = new Set(
      Object.keys(metafile.inputs)
        .filter((file) => file !== '<stdin>')
        .map((file) => file.split('/', 2).join('/')),
    );
    expect([...folders].sort()).toEqual(['lib/channel', 'lib/typed']);
    const { text } = outputFiles[0]!;
    expect(text).not.toMatch(/\b(Buffer|process|require|global)\b/);
    expect(text.length).toBeLessThan(5_000);
  });
});
