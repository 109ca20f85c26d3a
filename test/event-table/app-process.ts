import { spawn } from 'node:child_process';
import { bundled } from '../support/compiled.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';

/** An application in a process of its own, which can be killed. */
export interface AppProcess {
  readonly url: string;
  readonly output: string;
  /** Ends it without letting it finish anything. */
  kill(): Promise<void>;
}

const running = new Set<AppProcess>();

/** Starts an application that streams the channel `news` at `/news`. */
export async function startAppProcess(postgres: string, port: number): Promise<AppProcess> {
  const child = spawn(process.execPath, [bundled('test/event-table/app-main.ts')], {
    cwd: projectRoot,
    env: { ...process.env, POSTGRES: postgres, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const app: AppProcess = {
    url: `http://127.0.0.1:${port}`,
    get output() {
      return output;
    },
    async kill() {
      running.delete(app);
      child.kill('SIGKILL');
      await exited;
    },
  };
  running.add(app);
  // A process that starts beside others takes its time.
  await until(() => output.includes('listening') || child.exitCode !== null, { deadline: 60_000 });
  if (!output.includes('listening')) {
    throw new Error(`The application did not start: ${output}`);
  }
  return app;
}

/** Kills what a test has left running. */
export async function killApps(): Promise<void> {
  await Promise.all([...running].map((app) => app.kill()));
}
