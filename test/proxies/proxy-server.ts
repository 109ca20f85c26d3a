import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { codeBlocks } from '../docs/markdown.js';
import { freePort } from '../support/free-port.js';
import { ServerFolder } from '../support/server-folder.js';
import { until } from '../support/until.js';
import { DOCUMENTED_SECONDS, TIMEOUT_SECONDS, type ProxyKind } from './proxy-kinds.js';

/** A proxy that runs. */
export interface RunningProxy {
  readonly url: string;
  stop(): Promise<void>;
}

const DOCUMENT = 'docs/proxies.md';

function documented(language: string): string {
  return codeBlocks(DOCUMENT).find((block) => block.language === language)!.code;
}

/**
 * Starts a proxy of this machine, as docs/proxies.md says, in front of a loopback port.
 *
 * @param more lines to add to its configuration
 * @param change makes another configuration of the documented one
 */
export async function startProxyServer(
  kind: ProxyKind,
  upstream: number,
  more: string,
  change: (documented: string) => string = (same) => same,
): Promise<RunningProxy> {
  const folder = await ServerFolder.create('proxy');
  try {
    const block = `${change(documented(kind.language))}\n${more}`
      .replaceAll(String(DOCUMENTED_SECONDS), String(TIMEOUT_SECONDS))
      .replaceAll('3000', String(upstream));
    const setup = { block, port: await freePort(), folder: folder.path };
    const file = join(folder.path, 'configuration');
    await writeFile(file, kind.file(setup));
    await writeFile(join(folder.path, 'sse-away'), `${documented('http')}\n\n`);
    const running = spawn(process.env[kind.variable]!, kind.args(file, setup).split(' '), {
      cwd: folder.path,
      env: { ...process.env, HOME: folder.path },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const output of [running.stdout, running.stderr]) {
      output.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-5_000)));
    }
    const exit = once(running, 'exit');
    folder.guard(running.pid!, 'KILL');
    const isReady = async (): Promise<boolean> => {
      if (running.exitCode !== null) throw new Error(`${kind.name} ended: ${log}`);
      return isListening(setup.port);
    };
    await until(isReady, { deadline: 30_000, every: 50, what: `${kind.name} to listen` });
    return {
      url: `http://127.0.0.1:${setup.port}`,
      stop: async () => {
        running.kill('SIGTERM');
        const impatient = setTimeout(() => running.kill('SIGKILL'), 5_000);
        await exit;
        clearTimeout(impatient);
        await folder.release();
        await folder.remove();
      },
    };
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
