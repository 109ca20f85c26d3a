import { spawn, spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ChildProcess } from 'node:child_process';
import type { Reply, Request } from './protocol.js';

/** The core of the server under test, and the one of the load, where there are two. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/**
 * Whether processes are pinned: there is `taskset`, and more than one core. The
 * cores are those of the machine, as this also runs in a process that is pinned.
 */
export const pinned = cpus().length > 1 && spawnSync('taskset', ['--version']).status === 0;

/** The command that runs another one on a core, or just that one where nothing can be pinned. */
export function onCore(core: number, command: string, args: string[]): [string, string[]] {
  return pinned ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

type Args<C, K extends keyof C> = C[K] extends { args: infer A } ? A : never;
type Result<C, K extends keyof C> = C[K] extends { result: infer R } ? R : never;

/** A process of the bench that answers commands. */
export class Child<C> {
  private readonly process: ChildProcess;
  private readonly pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >();
  private nextId = 1;

  constructor(module: string, core: number) {
    const file = fileURLToPath(new URL(module, import.meta.url));
    const [command, args] = onCore(core, process.execPath, ['--expose-gc', file]);
    this.process = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.process.on('message', (reply: Reply) => {
      const call = this.pending.get(reply.id);
      this.pending.delete(reply.id);
      if (reply.error === undefined) call?.resolve(reply.result);
      else call?.reject(new Error(reply.error));
    });
    this.process.on('exit', (code, signal) => {
      for (const call of this.pending.values()) {
        call.reject(
          new Error(`${module} ended (${signal ?? `exit code ${code}`}) before it answered.`),
        );
      }
      this.pending.clear();
    });
  }

  /** Sends a command and resolves with the answer. */
  call<K extends keyof C & string>(
    command: K,
    ...[args]: Args<C, K> extends undefined ? [] : [Args<C, K>]
  ): Promise<Result<C, K>> {
    return new Promise((resolve, reject) => {
      if (!this.process.connected) {
        reject(new Error(`The process has ended; "${command}" cannot be sent.`));
        return;
      }
      const id = this.nextId++;
      this.pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.process.send({ id, command, args } satisfies Request);
    });
  }

  /** Ends the process, politely first so that it ends what it started itself. */
  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    if (this.process.connected) this.process.disconnect();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 3_000);
    await gone;
    clearTimeout(timer);
  }
}
