import { connect } from 'node:net';

/** One client that reads a stream of a loopback server as cheaply as can be. */
export interface RawClient {
  close(): void;
}

/** Connects, and resolves once the first bytes of the stream are there. */
export function openStream(
  port: number,
  path: string,
  onChunk: (chunk: Buffer) => void = () => undefined,
): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n`);
    });
    let head = '';
    const onHead = (chunk: Buffer) => {
      head += chunk.toString('latin1');
      // The opening frame follows the head, and ends with the first empty line.
      if (head.includes('\n\n')) {
        socket.off('data', onHead);
        socket.on('data', onChunk);
        resolve({ close: () => socket.destroy() });
      }
    };
    socket.on('data', onHead);
    socket.on('error', reject);
  });
}

/** Counts how often a byte occurs. */
export function occurrences(chunk: Buffer, byte: number): number {
  let count = 0;
  for (let at = chunk.indexOf(byte); at >= 0; at = chunk.indexOf(byte, at + 1)) {
    count++;
  }
  return count;
}
