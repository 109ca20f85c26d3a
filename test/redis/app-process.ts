import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { bundled } from '../support/compiled.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';

/** An instance of an application in a process of its own. */
export interface AppProcess {
  readonly url: string;
  readonly pid: number;
  /** Ends the process with this signal; resolves once it is gone. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

const running = new Set<AppProcess>();

export async function startAppProcess(
  redisUrl: string,
  env: Readonly<Record<string, string>> = {},
  args: readonly string[] = [bundled('test/redis/app.ts')],
): Promise<AppProcess> {
  const child = spawn(process.execPath, args, {
    cwd: projectRoot,
    env: { ...process.env, REDIS_URL: redisUrl, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const found = await until(() => isOver() || /address (\S+)/.exec(output), {
    // Processes that start beside others take their time.
    deadline: 90_000,
  }).catch(() => true as const);
  if (found === true) {
    child.kill('SIGKILL');
    throw new Error(`The instance did not become ready:\n${output}`);
  }
  const one: AppProcess = {
    url: found[1]!,
    pid: child.pid!,
    async end(signal) {
      running.delete(one);
      if (!isOver()) {
        child.kill(signal);
        await once(child, 'exit');
      }
    },
  };
  running.add(one);
  return one;
}

/** Ends every instance that a test has left running. */
export async function endAppProcesses(): Promise<void> {
  await Promise.all([...running].map((one) => one.end('SIGKILL')));
}
