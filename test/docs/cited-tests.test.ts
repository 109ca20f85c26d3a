import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { read } from './markdown.js';

const GUARANTEES = 'docs/guarantees.md';
/** It says what no test can show. */
const NOT_GUARANTEED = 'What cannot be guaranteed';
const TEST = /\]\(\.\.\/(test\/[^)\s]+\.(?:test|browser|upgrade)\.ts)\)/g;

interface Section {
  readonly title: string;
  /** Its paragraphs, list items and tables. */
  readonly blocks: readonly string[];
}

function sections(document: string): Section[] {
  const [, ...parts] = read(document)
    .replace(/^```[\s\S]*?^```/gm, '')
    .split(/^##+ /m);
  return parts.map((part) => {
    const [title = '', ...lines] = part.split('\n');
    const blocks = lines.join('\n').split(/\n\s*\n|\n(?=(?:- |\d+\. ))/);
    return { title, blocks: blocks.map((block) => block.trim()).filter((block) => block !== '') };
  });
}

/** Citations that stand alone are of all blocks before them in the section. */
const isCitation = (block: string): boolean => block.startsWith('([');
/** What only leads to another page, or to what follows. */
const isPointer = (block: string): boolean => /:$|: see \[/.test(block);

describe(GUARANTEES, () => {
  const found = sections(GUARANTEES).filter(({ title }) => title !== NOT_GUARANTEED);

  it.each(found.map((section) => [section.title, section] as const))(
    'cites a test for each statement: %s',
    (_, { blocks }) => {
      const cited = blocks.findLastIndex(isCitation);
      const without = blocks.filter(
        (block, index) => index > cited && block.match(TEST) === null && !isPointer(block),
      );
      expect(without).toEqual([]);
    },
  );

  it('cites files that hold tests', () => {
    const files = [...read(GUARANTEES).matchAll(TEST)].map(([, file]) => join(projectRoot, file!));
    const empty = files.filter(
      (file) => !existsSync(file) || !/^\s*(?:it|test)\b/m.test(readFileSync(file, 'utf8')),
    );
    expect(files.length).toBeGreaterThan(50);
    expect(empty).toEqual([]);
  });
});
