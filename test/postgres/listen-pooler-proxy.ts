import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** What the server says once the client is let in: `K`, the length 12, and the process id. */
const BACKEND_KEY_DATA = Buffer.from([0x4b, 0, 0, 0, 12]);

/**
 * A proxy that tells clients another process id than that of their backend, as PgBouncer and
 * other poolers do, which makes them recognisable.
 */
export async function startPidChangingProxy(target: string) {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((inner) => {
    accepted++;
    const outer = connect(Number(to.port || 5432), to.hostname);
    let found = false;
    outer.on('data', (chunk: Buffer) => {
      const at = found ? -1 : chunk.indexOf(BACKEND_KEY_DATA);
      if (at >= 0) {
        found = true;
        chunk.writeUInt32BE(1_234_567, at + BACKEND_KEY_DATA.length);
      }
      inner.write(chunk);
    });
    inner.pipe(outer);
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const through = new URL(target);
  through.hostname = '127.0.0.1';
  through.port = String((server.address() as AddressInfo).port);
  return {
    url: through.href,
    get accepted() {
      return accepted;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
