import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';

const LOADER = ['--import', join(projectRoot, 'scripts/typescript.mjs')];
const COMMAND = join(projectRoot, 'lib/cli.ts');

/** The command, as a process of its own. */
export interface CliProcess {
  readonly child: ChildProcess;
  /** What it has written to stdout and to stderr so far. */
  readonly out: string;
  readonly err: string;
  /** The lines of stdout that are complete. */
  readonly lines: string[];
  /** Resolves with the exit code, once all output has come. */
  readonly ended: Promise<number | null>;
  /** Waits for a text on stderr. */
  says(text: string | RegExp): Promise<void>;
}

const started = new Set<ChildProcess>();

/** Starts the command with pipes for its output, which are no terminal. */
export function startCli(
  args: readonly string[],
  {
    env,
    input,
  }: { readonly env?: Record<string, string>; readonly input?: string | undefined } = {},
): CliProcess {
  const child = spawn(process.execPath, ['--no-warnings', ...LOADER, COMMAND, ...args], {
    stdio: 'pipe',
    env: { ...process.env, ...env },
  });
  started.add(child);
  let [out, err] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin!.on('error', () => undefined);
  if (input !== undefined) {
    child.stdin!.end(input);
  }
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      started.delete(child);
      resolve(code);
    });
  });
  return {
    child,
    ended,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
    get lines() {
      return out.split('\n').slice(0, -1);
    },
    says: async (text) => {
      await until(() => (typeof text === 'string' ? err.includes(text) : text.test(err)), {
        what: `${String(text)} on stderr`,
      });
    },
  };
}

/** Ends whatever a test has left running. For `afterEach`. */
export function endCli(): void {
  started.forEach((child) => child.kill('SIGKILL'));
}
