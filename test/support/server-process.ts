import { spawn, type ChildProcess } from 'node:child_process';

/** What to start, and how to tell that it is ready. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Called with the process's number as soon as there is one, long before the server is ready. */
  readonly onSpawn: (pid: number) => void;
  /** The server's log says this when it takes connections. */
  readonly ready: RegExp;
}

const LOG_LIMIT = 200_000;

/** A server's process: its log, and its end. */
export class ServerProcess {
  /** Resolves when the process has ended, or could not be started. */
  readonly exited: Promise<void>;
  private text = '';

  private constructor(private readonly child: ChildProcess) {
    this.exited = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const collect = (chunk: Buffer) => {
      this.text = (this.text + chunk.toString()).slice(-LOG_LIMIT);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
  }

  /** Resolves once the server's log says that it is ready. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const child = spawn(command.command, command.args, {
      cwd: command.cwd,
      env: command.env ?? process.env,
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.gid }),
      // A terminal's Ctrl-C must not reach the server: its folder's reaper ends it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = new ServerProcess(child);
    if (child.pid !== undefined) command.onSpawn(child.pid);
    try {
      await server.waitFor(command.ready, 30_000);
    } catch (error) {
      await server.end('SIGKILL');
      throw error;
    }
    return server;
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get running(): boolean {
    return (
      this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null
    );
  }

  /** The last 200,000 characters of what the server has written. */
  get log(): string {
    return this.text;
  }

  /** Sends the signal and waits for the end; after 10 seconds without one it is SIGKILL. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.running) {
      this.child.kill(signal);
      const impatient = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
      await this.exited;
      clearTimeout(impatient);
    }
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
  }

  private waitFor(ready: RegExp, deadline: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const { child } = this;
      const fail = (why: string) => {
        done();
        reject(new Error(`${child.spawnfile} ${why}\n${this.text.slice(-2_000)}`));
      };
      const look = () => {
        if (!ready.test(this.text)) return;
        done();
        resolve();
      };
      const onError = (error: Error) => fail(`could not be started: ${error.message}`);
      const onExit = () => fail(`ended before it was ready (exit code ${child.exitCode}).`);
      const timer = setTimeout(() => fail(`was not ready within ${deadline} ms.`), deadline);
      const done = () => {
        clearTimeout(timer);
        child.off('error', onError).off('close', onExit);
        child.stdout?.off('data', look);
        child.stderr?.off('data', look);
      };
      child.once('error', onError).once('close', onExit);
      child.stdout?.on('data', look);
      child.stderr?.on('data', look);
    });
  }
}
