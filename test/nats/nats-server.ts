import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { ServerFolder } from '../support/server-folder.js';
import { ServerProcess } from '../support/server-process.js';

/** A NATS server of our own, with JetStream. */
export interface NatsServer {
  readonly url: string;
  /** Ends it at once, with all of its connections, and starts it on the same port and files. */
  restart(): Promise<void>;
  /** Ends it for good and removes its files. */
  stop(): Promise<void>;
}

/** Starts a NATS server on the loopback interface; it ends with this process at the latest. */
export async function startNatsServer(): Promise<NatsServer> {
  const program = process.env['NATS_SERVER'];
  if (!program) throw new Error('No NATS server: run these tests with "npm run test:nats".');
  const folder = await ServerFolder.create('nats');
  const port = await freePort();
  let running: ServerProcess;
  const start = async (): Promise<void> => {
    running = await ServerProcess.start({
      command: program,
      args: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(folder.path, 'store')],
      cwd: folder.path,
      onSpawn: (pid) => folder.guard(pid, 'KILL'),
      ready: /Server is ready/,
    });
  };
  const kill = async (): Promise<void> => {
    await running.end('SIGKILL');
    await folder.release();
  };
  try {
    await start();
  } catch (error) {
    await folder.remove();
    throw error;
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    async restart() {
      await kill();
      await start();
    },
    async stop() {
      await kill();
      await folder.remove();
    },
  };
}
