// Brings the README's section on performance up to date with docs/bench.json:
//   node --import ./scripts/typescript.mjs test/docs/fill-performance.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { read } from './markdown.js';
import { lastReport, performanceOf, section } from './performance.js';

const text = read('README.md').replace(section(), () => performanceOf(lastReport()));
writeFileSync(join(projectRoot, 'README.md'), text);
