// Brings the blocks of docs/packages.md up to date with recipes/:
//   node --import ./scripts/typescript.mjs test/docs/fill-recipes.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { filledPage, PAGE } from './package-recipes.js';

writeFileSync(join(projectRoot, PAGE), filledPage());
