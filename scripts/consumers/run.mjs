import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs a program without showing what it says.
 * @returns its exit code and all that it said
 */
export async function outcomeOf(cwd, command, ...args) {
  const child = spawn(command, args, { cwd, env: { ...process.env, NO_COLOR: '1' } });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  child.stdin.end();
  const [code] = await once(child, 'close');
  return { code, output };
}

/** @throws with all that the program said, when it fails */
export async function run(cwd, command, ...args) {
  const { code, output } = await outcomeOf(cwd, command, ...args);
  if (code !== 0)
    throw new Error(`"${[command, ...args].join(' ')}" ended with ${code}:\n${output}`);
  return output;
}

/** As `run`, of a program of a package: a JavaScript file. */
export function node(cwd, file, ...args) {
  return run(cwd, process.execPath, '--disable-warning=ExperimentalWarning', file, ...args);
}
