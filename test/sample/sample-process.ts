import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bundled } from '../support/compiled.js';
import { projectRoot } from '../support/project-root.js';
import { serversParent } from '../support/server-folder.js';
import { until } from '../support/until.js';

/** How the sample is started where how does not matter. */
const DIRECTLY = [process.execPath, bundled('sample/main.ts')];

/** The sample in a process of its own. */
export interface SampleProcess {
  /** All it has printed so far, standard output and errors together. */
  readonly output: string;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals | null>;
  /** Resolves with its address once it has printed it. */
  address(): Promise<string>;
  /** Sends a signal to the process and all it started in its group, as a terminal's Ctrl-C does. */
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal to the process alone, as `kill` does. */
  signalOnly(signal: NodeJS.Signals): void;
  /** What is left in the temporary folder that only this process uses. */
  leftFiles(): Promise<string[]>;
  /** The full path of something in that folder. */
  path(name: string): string;
  /** Ends it if it still runs, and removes its temporary folder. */
  dispose(): Promise<void>;
}

/** Starts the sample with the given variables, without any that this process has for it. */
export async function startSample(
  variables: NodeJS.ProcessEnv = {},
  [command, ...args]: readonly string[] = DIRECTLY,
): Promise<SampleProcess> {
  const folder = await mkdtemp(join(await serversParent(), 'sample-test-'));
  // Postgres does not run as root; as another user it has to get through to its own folder.
  await chmod(folder, 0o755);
  const unset = { REDIS_URL: undefined, DATABASE_URL: undefined };
  const child = spawn(command!, args, {
    cwd: projectRoot,
    env: { ...process.env, ...unset, PORT: '0', TMPDIR: folder, ...variables },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let over = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const exited = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      over = true;
      resolve(signal ?? code);
    });
  });
  const signal = (name: NodeJS.Signals) => {
    if (!over && child.pid !== undefined) process.kill(-child.pid, name);
  };

  return {
    get output() {
      return output;
    },
    exited,
    signal,
    signalOnly: (name) => void child.kill(name),
    address: async () => {
      const found = await until(() => over || /address +(http:\S+)/.exec(output), {
        deadline: 60_000,
        what: 'the address of the sample',
      });
      if (found === true) throw new Error(`The sample ended before it was ready:\n${output}`);
      return found[1]!;
    },
    leftFiles: () => readdir(folder),
    path: (name) => join(folder, name),
    dispose: async () => {
      signal('SIGINT');
      const impatient = setTimeout(() => signal('SIGKILL'), 10_000);
      await exited;
      clearTimeout(impatient);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
