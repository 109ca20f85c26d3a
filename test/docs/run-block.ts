import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { codeBlocks, type CodeBlock } from './markdown.js';

const folder = join(projectRoot, '.cache', `docs-${process.pid}`);

/** The one TypeScript block of a document that contains a text. */
export function blockWith(document: string, text: string): CodeBlock {
  const found = codeBlocks(document).filter(
    ({ language, code }) => language === 'ts' && code.includes(text),
  );
  if (found.length !== 1) {
    throw new Error(
      `${document} has ${found.length} TypeScript blocks with ${JSON.stringify(text)}.`,
    );
  }
  return found[0]!;
}

/** Writes a block to a file that can be run, with the package's source in place of the package. */
export function writeBlock({ where, code }: CodeBlock): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${where.replace(/[^\w]/g, '-')}.ts`);
  const text = code
    .replaceAll("'nestjs-sse-channels/channel'", "'../../lib/typed/index.js'")
    .replaceAll("'nestjs-sse-channels/swagger'", "'../../lib/swagger/index.js'")
    .replaceAll("'nestjs-sse-channels/terminus'", "'../../lib/terminus/index.js'")
    .replaceAll("'nestjs-sse-channels/opentelemetry'", "'../../lib/opentelemetry/index.js'")
    .replaceAll("'nestjs-sse-channels/publish'", "'../../lib/publish/index.js'")
    .replaceAll("'nestjs-sse-channels/inspector'", "'../../lib/inspector/index.js'")
    .replaceAll("'nestjs-sse-channels/client'", "'../../lib/client/index.js'")
    .replaceAll("'nestjs-sse-channels/testing'", "'../../lib/testing/index.js'")
    .replaceAll("'nestjs-sse-channels'", "'../../lib/index.js'");
  writeFileSync(path, text);
  return path;
}

/** Runs the one block of a document that contains a text, and returns what it exports. */
export async function runBlock<T>(document: string, text: string): Promise<T> {
  return (await import(writeBlock(blockWith(document, text)))) as T;
}

export function removeBlocks(): void {
  rmSync(folder, { recursive: true, force: true });
}
