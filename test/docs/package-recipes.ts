import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { read } from './markdown.js';

/** The page whose blocks of TypeScript are the files of recipes/. */
export const PAGE = 'docs/packages.md';

/** A link to a recipe, and the block that follows. */
const RECIPE = /(\[(recipes\/[\w/-]+\.ts)\]\(\.\.\/\2\)\n\n```ts\n)[\s\S]*?(```\n)/g;

/** The recipes, without their tests, as paths from the root. */
export function recipes(): string[] {
  return ['recipes', 'recipes/nest-11', 'recipes/databases'].flatMap((folder) =>
    readdirSync(join(projectRoot, folder))
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => `${folder}/${name}`),
  );
}

/** The page, with each block as its file is. */
export function filledPage(): string {
  return read(PAGE).replace(
    RECIPE,
    (_, before: string, file: string, after: string) => before + read(file) + after,
  );
}
