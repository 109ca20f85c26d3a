import { join } from 'node:path';
import { projectRoot } from './project-root.js';

/** The JavaScript of one of our files, such as `sample/main.ts`: for processes that a test starts. */
export function compiled(file: string): string {
  return join(projectRoot, 'dist-tests', file.replace(/\.ts$/, '.js'));
}

/** The script of one of the applications that scripts/bundle-apps.mjs bundles. It starts faster. */
export function bundled(file: string): string {
  return join(projectRoot, 'dist-tests', file.replace(/\.ts$/, '.cjs'));
}
