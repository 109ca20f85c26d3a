import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';

/** The last commit before Redis entries and keys got a version of their format. */
const COMMIT = '70217a0338e419273d60b9eedc8c6331970b3d2e';

/** Takes that commit's `lib/index.ts` out of git's history, once, and answers where it is. */
export function olderVersion(): string {
  const folder = join(projectRoot, '.cache/versions', COMMIT);
  if (!existsSync(folder)) {
    const git = { cwd: projectRoot, maxBuffer: 64 * 1_048_576 };
    if (spawnSync('git', ['cat-file', '-e', `${COMMIT}^{commit}`], git).status !== 0) {
      throw new Error(
        `The commit ${COMMIT} is not in this clone. Run "git fetch --unshallow", or clone the ` +
          'whole history.',
      );
    }
    const scratch = `${folder}.${randomUUID()}`;
    mkdirSync(scratch, { recursive: true });
    const archive = execFileSync('git', ['archive', COMMIT, 'lib', 'package.json'], git);
    execFileSync('tar', ['-x', '-C', scratch], { input: archive });
    try {
      renameSync(scratch, folder);
    } catch {
      // Another process was faster.
      rmSync(scratch, { recursive: true });
    }
  }
  return join(folder, 'lib/index.ts');
}
