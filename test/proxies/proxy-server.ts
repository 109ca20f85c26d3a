import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { codeBlocks } from '../docs/markdown.js';
import { freePort } from '../support/free-port.js';
import { projectRoot } from '../support/project-root.js';
import { ServerFolder } from '../support/server-folder.js';
import { until } from '../support/until.js';
import { DOCUMENTED_SECONDS, TIMEOUT_SECONDS, type ProxyKind } from './proxy-kinds.js';

/** A proxy that runs. */
export interface RunningProxy {
  readonly url: string;
  stop(): Promise<void>;
}

export interface ProxyOptions {
  /** Lines to add to its configuration. */
  readonly more?: string;
  /** Makes another configuration of the documented one. */
  readonly change?: (documented: string) => string;
  /** The document whose configuration it has. Default: docs/proxies.md. */
  readonly document?: string;
  /** HTTP/2 towards clients, by TLS with a certificate of the tests: nginx and HAProxy only. */
  readonly isSecure?: boolean;
}

const TLS = join(projectRoot, 'test/support/tls');

const DOCUMENT = 'docs/proxies.md';

function documented(language: string, document = DOCUMENT): string {
  return codeBlocks(document).find((block) => block.language === language)!.code;
}

/**
 * Starts a proxy of this machine, as a document says, in front of a loopback port.
 *
 * @param options what differs from it
 */
export async function startProxyServer(
  kind: ProxyKind,
  upstream: number,
  { more = '', change = (same) => same, document, isSecure = false }: ProxyOptions = {},
): Promise<RunningProxy> {
  const folder = await ServerFolder.create('proxy');
  try {
    const block = `${change(documented(kind.language, document))}\n${more}`
      .replaceAll(String(DOCUMENTED_SECONDS), String(TIMEOUT_SECONDS))
      .replaceAll('3000', String(upstream));
    const pair = join(folder.path, 'pair.pem');
    const setup = {
      block,
      port: await freePort(),
      folder: folder.path,
      ...(isSecure && { pair }),
    };
    if (isSecure) {
      const parts = await Promise.all(
        ['cert.pem', 'key.pem'].map((name) => readFile(join(TLS, name))),
      );
      await writeFile(pair, Buffer.concat(parts));
    }
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
      url: `${isSecure ? 'https' : 'http'}://127.0.0.1:${setup.port}`,
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
