import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';

/** The last commit before Redis entries and keys got a version of their format. */
export const BEFORE_FORMATS = '70217a0338e419273d60b9eedc8c6331970b3d2e';
/** The last commit whose event table had version 2. */
export const SCHEMA_2 = '2c3b2e23214a169b6f2e81452882ecb6d4c205f3';
/** A commit with runs, whose instances follow all of a run that they have begun, and hear of its end by that. */
export const WHOLE_RUN_FOLLOWED = '42521d7a20a1d7f68bf8a349cbfb3e6e9e5bf552';

/** Takes a commit's `lib/index.ts` out of git's history, once, and answers where it is. */
export function olderVersion(commit: string): string {
  const folder = join(projectRoot, '.cache/versions', commit);
  if (!existsSync(folder)) {
    const git = { cwd: projectRoot, maxBuffer: 64 * 1_048_576 };
    if (spawnSync('git', ['cat-file', '-e', `${commit}^{commit}`], git).status !== 0) {
      throw new Error(
        `The commit ${commit} is not in this clone. Run "git fetch --unshallow", or clone the ` +
          'whole history.',
      );
    }
    const scratch = `${folder}.${randomUUID()}`;
    mkdirSync(scratch, { recursive: true });
    const script = 'scripts/inline.mjs';
    const hasScript = spawnSync('git', ['cat-file', '-e', `${commit}:${script}`], git).status === 0;
    const paths = ['lib', 'package.json', ...(hasScript ? [script] : [])];
    const archive = execFileSync('git', ['archive', commit, ...paths], git);
    execFileSync('tar', ['-x', '-C', scratch], { input: archive });
    if (hasScript) {
      // It makes modules of what is not TypeScript.
      execFileSync(process.execPath, [join(scratch, script)]);
    }
    try {
      renameSync(scratch, folder);
    } catch {
      // Another process was faster.
      rmSync(scratch, { recursive: true });
    }
  }
  return join(folder, 'lib/index.ts');
}
