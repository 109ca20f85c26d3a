import { describe, expect, it } from '@jest/globals';
import { codeBlocks, read } from './markdown.js';
import { filledPage, PAGE, recipes } from './package-recipes.js';

describe(PAGE, () => {
  it('shows the recipes as they run: node --import ./scripts/typescript.mjs test/docs/fill-recipes.ts', () => {
    expect(read(PAGE)).toBe(filledPage());
  });

  it('shows each of them once, and no other TypeScript', () => {
    const shown = codeBlocks(PAGE)
      .filter(({ language }) => language === 'ts')
      .map(({ code }) => `${code}\n`);
    expect(shown.sort()).toEqual(recipes().map(read).sort());
  });

  it.each(recipes())('cites the test of %s', (recipe) => {
    expect(read(PAGE)).toContain(`(../${recipe.replace(/\.ts$/, '.test.ts')})`);
  });
});
