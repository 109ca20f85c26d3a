import { connect, type Socket } from 'node:net';

/** Clients that read as fast as they can, on bare sockets, and count what arrives. */

const sockets: Socket[] = [];
let bytes = 0;
let ended = 0;

interface Message {
  readonly do: 'connect' | 'close' | 'counts';
  readonly port: number;
  readonly count: number;
  readonly lastEventId?: string;
}

/** Opens sockets first, and then asks for all streams at once. */
async function open({ port, count, lastEventId }: Message): Promise<void> {
  const request =
    'GET /news HTTP/1.1\r\nHost: localhost\r\n' +
    `${lastEventId ? `Last-Event-ID: ${lastEventId}\r\n` : ''}\r\n`;
  const opened: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (chunk) => void (bytes += chunk.length));
    socket.on('error', () => undefined);
    socket.on('close', () => void ended++);
    opened.push(socket);
    sockets.push(socket);
    // More at once would overflow the server's accept queue.
    if (i % 256 === 255) await new Promise((resolve) => socket.once('connect', resolve));
  }
  await Promise.all(
    opened.map((socket) =>
      socket.connecting ? new Promise((resolve) => socket.once('connect', resolve)) : undefined,
    ),
  );
  for (const socket of opened) socket.write(request);
}

process.on('message', (message: Message) => {
  void (async () => {
    if (message.do === 'connect') await open(message);
    if (message.do === 'close') {
      for (const socket of sockets.splice(0)) socket.destroy();
      bytes = 0;
      ended = 0;
    }
    process.send!({ bytes, ended, open: sockets.length });
  })();
});
