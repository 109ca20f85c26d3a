import { fork, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/support/free-port.js';
import { startRedis, type RedisServer } from '../test/support/redis.js';
import { StartError, maskUrl, readSettings } from './settings.js';

// Two instances in processes of their own, and a Redis between them. An instance that ends is
// started again on its port, as an orchestrator does.
const COUNT = 2;

let redis: RedisServer | undefined;
let stopping = false;
const children = new Set<ChildProcess>();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => void stop());
}

try {
  const { port, redisUrl } = readSettings(process.env);
  if (redisUrl === undefined) {
    console.log('Starting a Redis …');
    redis = await startRedis();
  }
  const ports = await Promise.all(
    Array.from({ length: COUNT }, (_, n) => (port === 0 ? freePort() : port + n)),
  );
  const urls = ports.map((each) => `http://localhost:${each}`);
  await Promise.all(ports.map((each) => run(each, urls, redisUrl ?? redis!.url)));
  if (!stopping) {
    console.log(`
  nestjs-sse-channels, two instances

  address   ${urls[0]}
  the other ${urls[1]}
  redis     ${redisUrl ? maskUrl(redisUrl) : redis!.url}

  Ctrl-C stops them.
`);
  }
} catch (error) {
  if (!stopping) {
    console.error(error instanceof StartError ? error.message : error);
    process.exitCode = 1;
    await stop();
  }
}

/** Runs an instance until the sample is stopped; resolves once it listens for the first time. */
function run(port: number, urls: readonly string[], redisUrl: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(
      fileURLToPath(new URL(`cluster/instance${extname(import.meta.url)}`, import.meta.url)),
      {
        env: {
          ...process.env,
          PORT: String(port),
          INSTANCES: urls.join(' '),
          REDIS_URL: redisUrl,
        },
      },
    );
    children.add(child);
    let listened = false;
    child.once('message', () => {
      listened = true;
      resolve();
    });
    child.once('exit', () => {
      children.delete(child);
      if (stopping) {
        resolve();
      } else if (listened) {
        console.log(`The instance on port ${port} ended, and is started again.`);
        run(port, urls, redisUrl).catch((error: unknown) => console.error(error));
      } else {
        reject(new StartError(`The instance on port ${port} could not start. Is the port in use?`));
      }
    });
  });
}

async function stop(): Promise<void> {
  if (stopping) {
    return;
  }
  stopping = true;
  const gone = [...children].map((child) => new Promise((resolve) => child.once('exit', resolve)));
  children.forEach((child) => child.kill('SIGTERM'));
  await Promise.all(gone);
  await redis?.stop();
  process.exit();
}
