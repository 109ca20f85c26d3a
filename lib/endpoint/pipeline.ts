import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The most requests that may wait on one socket for the end of the stream before them. */
const MAX_WAITING = 16;

/** The requests that wait on a socket. One listener tells all when it closes. */
const waitingOn = new WeakMap<Socket, Set<() => void>>();

/**
 * Waits until a response has the socket. In HTTP/1.1 a client may send a request before it has
 * received the answer to the one before. Its response then waits, and Node does not tell it when
 * the socket closes. A stream may last for days, so no sensible client waits for its end: a client
 * that floods its socket with requests loses it.
 *
 * @returns whether the response has the socket; false once the socket is closed
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
