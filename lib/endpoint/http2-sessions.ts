import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { monotonicNow } from '../channel/clock.js';

/** How often `end` checks the sessions. */
const POLL_MS = 5;
/**
 * How long a client may take to close its side after its streams have ended. If we closed first, we
 * would answer its next bytes with a TCP reset, and it could lose what it has not read yet.
 */
const LINGER_MS = 250;

/** The members of a Fastify instance that we use. */
interface FastifyInstance {
  addHook(name: 'onListen', hook: (done: () => void) => void): unknown;
}

/**
 * Ends the HTTP/2 sessions of the application's server. At shutdown the server would wait for them,
 * for minutes if a session is idle or its client does not close its side.
 */
@Injectable()
export class Http2Sessions {
  private readonly open = new Map<ServerHttp2Session, Socket>();
  private isEnding = false;

  constructor(private readonly host: HttpAdapterHost) {}

  /** Notes every session from now on. */
  watch(): void {
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    if (server) {
      this.watchServer(server);
    }
  }

  /**
   * Notes the sessions of Fastify's further servers. Where a name such as `localhost` has several
   * addresses, Fastify listens at each with another server, and does not wait for these at
   * shutdown.
   */
  watchBindings(fastify: FastifyInstance): void {
    fastify.addHook('onListen', (done) => {
      const key = Object.getOwnPropertySymbols(fastify).find(
        ({ description }) => description === 'fastify.serverBindings',
      );
      const servers = key ? (fastify as unknown as Record<symbol, Server[]>)[key] : undefined;
      servers?.forEach((server) => this.watchServer(server));
      done();
    });
  }

  /**
   * Ends every session once its streams have ended, and after `timeout` milliseconds the others.
   */
  async end(timeout: number): Promise<void> {
    this.isEnding = true;
    const until = monotonicNow() + timeout;
    const overSince = new Map<Socket, number>();
    for (const session of this.open.keys()) {
      session.close();
    }
    while (this.open.size > 0 && monotonicNow() < until) {
      for (const [session, socket] of this.open) {
        // A closed session is destroyed once its streams have ended.
        if (session.destroyed) {
          const since = overSince.get(socket) ?? monotonicNow();
          overSince.set(socket, since);
          if (monotonicNow() - since > LINGER_MS) {
            socket.destroy();
          }
        }
      }
      await setTimeout(POLL_MS);
    }
    for (const [session, socket] of this.open) {
      session.destroy();
      socket.destroy();
    }
  }

  private watchServer(server: Server): void {
    // Only HTTP/2 servers emit this event.
    server.on('session', (session: ServerHttp2Session) => this.add(session));
  }

  private add(session: ServerHttp2Session): void {
    // `session.socket` is a proxy that refuses `destroy()`. `once()` returns the real socket.
    const socket = session.socket.once('close', () => this.open.delete(session));
    this.open.set(session, socket);
    if (this.isEnding) {
      session.destroy();
      socket.destroy();
    }
  }
}
