import { join } from 'node:path';
import { projectRoot } from './project-root.js';

/** The JavaScript of one of our files, such as `sample/main.ts`: for processes that a test starts. */
export function compiled(file: string): string {
  return join(projectRoot, 'dist-tests', file.replace(/\.ts$/, '.js'));
}
