import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How many requests for a stream may wait on one socket for the one before to end. */
const MAX_WAITING = 16;

/** Those who wait on a socket: each is told when it closes. One listener serves them all. */
const waitingOn = new WeakMap<Socket, Set<() => void>>();

/**
 * Waits until a response has the socket. With HTTP/1.1 a client may send a request before the
 * one before has been answered: its answer then waits, and Node does not tell it when the
 * socket closes. A stream before it may last for days, and a client that knows what it asks
 * for waits for none: of those that flood a socket with requests, it is closed.
 *
 * @returns whether it has the socket; false once the socket is closed
 */
export function turnOf(response: ServerResponse, socket: Socket): Promise<boolean> {
  const waiting = waitingOn.get(socket) ?? watch(socket);
  if (socket.destroyed || waiting.size >= MAX_WAITING) {
    socket.destroy();
    return Promise.resolve(false);
  }
  return new Promise((resolve) => {
    const left = (): void => resolve(false);
    waiting.add(left);
    response.once('socket', () => {
      waiting.delete(left);
      resolve(true);
    });
  });
}

function watch(socket: Socket): Set<() => void> {
  const waiting = new Set<() => void>();
  waitingOn.set(socket, waiting);
  socket.once('close', () => waiting.forEach((left) => left()));
  return waiting;
}
