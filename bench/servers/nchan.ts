import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVER_CORE, onCore } from '../child.js';
import type { AddressInfo, Socket } from 'node:net';
import type { Peer } from './peer.js';

const LISTEN_DEADLINE_MS = 5_000;

function modulePath(): string | undefined {
  const version = spawnSync('nginx', ['-V'], { encoding: 'utf8' });
  const folder = /--modules-path=(\S+)/.exec(version.stderr ?? '')?.[1];
  const file = folder && join(folder, 'ngx_nchan_module.so');
  return file && existsSync(file) ? file : undefined;
}

function configuration(port: number, heartbeat: number): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
load_module ${modulePath()};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid nginx.pid;
error_log error.log error;
events { worker_connections 19900; }
http {
  access_log off;
  ${paths.map((path) => `${path}_temp_path ${path};`).join('\n  ')}
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/publish/(\\w+)$ {
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 100;
      nchan_message_timeout 10m;
    }
    location ~ ^/events/(\\w+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_eventsource_ping_interval ${Math.round(heartbeat / 1_000)};
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function connected(port: number): Promise<Socket> {
  const deadline = Date.now() + LISTEN_DEADLINE_MS;
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** The worker, which the master starts only after it has begun to listen. */
async function workerOf(master: number): Promise<number> {
  const deadline = Date.now() + LISTEN_DEADLINE_MS;
  while (Date.now() < deadline) {
    const worker = childOf(master);
    if (worker !== undefined) return worker;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nginx (${master}) has started no worker within ${LISTEN_DEADLINE_MS} ms.`);
}

function childOf(parent: number): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      if (Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) === parent) {
        return Number(name);
      }
    } catch {
      // The process ended between the two reads.
    }
  }
  return undefined;
}

/**
 * nginx with the nchan module, one worker, published to through its HTTP
 * publisher endpoint over one keep-alive connection; the events of a turn are
 * pipelined in one write. The publisher is this process, on the load's core.
 */
export const peer: Peer = {
  unavailable: () =>
    modulePath() === undefined
      ? 'nginx with the nchan module is not installed (Debian: libnginx-mod-nchan)'
      : undefined,

  async start({ heartbeat }) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-nchan-'));
    const port = await freePort();
    writeFileSync(join(folder, 'nginx.conf'), configuration(port, heartbeat));
    const [command, args] = onCore(SERVER_CORE, 'nginx', [
      '-p',
      folder,
      '-c',
      'nginx.conf',
      '-e',
      'error.log',
    ]);
    const nginx = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    const exited = once(nginx, 'exit');
    // When a run fails before stop(), nginx still goes with this process.
    process.on('exit', () => nginx.kill('SIGTERM'));
    const publisher = await connected(port);
    publisher.resume();
    return {
      port,
      pid: await workerOf(nginx.pid!),
      path: (channel) => `/events/${channel}`,
      publish(channel, events) {
        let requests = '';
        for (const data of events) {
          requests +=
            `POST /publish/${channel} HTTP/1.1\r\nHost: bench\r\n` +
            `Content-Length: ${data.length}\r\n\r\n${data}`;
        }
        publisher.write(requests);
      },
      async stop() {
        publisher.destroy();
        nginx.kill('SIGTERM');
        await exited;
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};
