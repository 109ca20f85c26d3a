import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ServerHttp2Session } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { monotonicNow } from '../channel/clock.js';

/** How often sessions are looked at while they end. */
const POLL_MS = 5;
/**
 * How long a client whose streams have ended may take to close its side. If we were first, what
 * it sends meanwhile would be answered by a reset, which may take what it has not read yet.
 */
const LINGER_MS = 250;

/** What we need of an instance of Fastify. */
interface FastifyInstance {
  addHook(name: 'onListen', hook: (done: () => void) => void): unknown;
}

/**
 * The HTTP/2 sessions of the application's server, which waits for them when it closes: for a
 * session without streams, and for one whose client does not close its side, for minutes.
 */
@Injectable()
export class Http2Sessions {
  private readonly open = new Map<ServerHttp2Session, Socket>();
  private isEnding = false;

  constructor(private readonly host: HttpAdapterHost) {}

  /** Takes notice of every session from now on. */
  watch(): void {
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    if (server) {
      this.watchServer(server);
    }
  }

  /**
   * Takes notice of the sessions of further servers. Where a name such as `localhost` has several
   * addresses, Fastify listens at each with a server of its own, which it does not wait for.
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
   * Ends every session: once its streams have ended, or after `timeout` milliseconds with
   * those it still has.
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
        // It is so once its streams have ended.
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
    // Only a server of HTTP/2 emits it.
    server.on('session', (session: ServerHttp2Session) => this.add(session));
  }

  private add(session: ServerHttp2Session): void {
    // What a session gives as its socket refuses to be destroyed. This returns the real one.
    const socket = session.socket.once('close', () => this.open.delete(session));
    this.open.set(session, socket);
    if (this.isEnding) {
      session.destroy();
      socket.destroy();
    }
  }
}
