import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import type { RequestListener } from 'node:http';

interface Listening {
  readonly server: Server;
  readonly port: number;
}

/**
 * A plain HTTP/1.1 server on a free port of the loopback.
 * @param tls its key and certificate; without, it has no TLS
 */
export function listen(listener: RequestListener, tls?: ServerOptions): Promise<Listening> {
  return listenOn(tls ? createTlsServer(tls, listener) : createServer(listener));
}

export async function listenOn(server: Server): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** Closes a server together with its open connections. */
export function close(server: Server & { closeAllConnections?(): void }): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections?.();
  });
}

/** The channel of a path such as `/events/name`. */
export function channelOf(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1);
}
