// Brings the numbers of docs/operating.md up to date with what the benchmarks have written:
//   node --import ./scripts/typescript.mjs test/docs/fill-sizing.ts
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { read } from './markdown.js';
import { measurements } from './measurements.js';
import { SIZING_DOCUMENT, sizingOf, sizingSection } from './sizing.js';

const text = read(SIZING_DOCUMENT).replace(sizingSection(), () => sizingOf(measurements()));
writeFileSync(join(projectRoot, SIZING_DOCUMENT), text);
