import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Call, Reply } from './calls.js';

/** A process under measurement. */
export interface Child {
  call(call: Call): Promise<unknown>;
  cpu(): Promise<number>;
  heap(): Promise<number>;
  end(): Promise<void>;
}

export function startChild(redisUrl: string): Child {
  const child = fork(fileURLToPath(new URL('child.js', import.meta.url)), {
    env: { ...process.env, REDIS_URL: redisUrl },
    execArgv: ['--expose-gc'],
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  let calls = 0;
  child.on('message', (reply: Reply) => waiting.get(reply.id)?.(reply));
  const call = (what: Call) =>
    new Promise<unknown>((resolve, reject) => {
      const id = ++calls;
      waiting.set(id, ({ value, error }) => {
        waiting.delete(id);
        if (error === undefined) {
          resolve(value);
        } else {
          reject(new Error(error));
        }
      });
      child.send({ ...what, id });
    });
  return {
    call,
    cpu: () => call({ do: 'cpu' }) as Promise<number>,
    heap: () => call({ do: 'heap' }) as Promise<number>,
    end: async () => {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await exited;
    },
  };
}
