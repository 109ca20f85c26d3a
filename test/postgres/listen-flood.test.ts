import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { listenRig } from './listen-rig.js';

/** A server behind a line that carries 64 KiB in `pause` milliseconds, however many wait. */
async function startSlowProxy(target: string, pause: number) {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connect(Number(to.port || 5432), to.hostname);
    const slow = new Transform({
      transform: (chunk: Buffer, _, done) =>
        void setTimeout(done, (pause * chunk.length) / 65_536, null, chunk),
    });
    inner.pipe(outer);
    outer.pipe(slow).pipe(inner);
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [inner, outer].forEach((other) => other.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    async close() {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('A flood of notifications', () => {
  const rig = listenRig();

  it('does not count as a lost connection when it takes longer than an answer may take', async () => {
    const count = sized({ quick: 1_000, soak: 200_000 });
    const proxy = await startSlowProxy(rig.url, sized({ quick: 20, soak: 2 }));
    rig.cleanUp(() => proxy.close());
    const listen = rig.listening(proxy.url, { healthInterval: 50, timeout: 800 });
    const sink = await rig.open(listen, 'flood');
    const began = performance.now();
    await rig.writer.query(
      `select pg_notify('flood', n || repeat('x', 7000)) from generate_series(1, $1::int) n`,
      [count],
    );
    await until(() => sink.events.length >= count || listen.logger.errors.length > 0, {
      deadline: sized({ quick: 30_000, soak: 300_000 }),
    });
    expect(listen.logger.errors).toEqual([]);
    expect(sink.events).toHaveLength(count);
    const numbers = sink.data.map((data) => Number.parseInt(data));
    expect(numbers).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    // Otherwise no answer was late.
    expect(performance.now() - began).toBeGreaterThan(1_600);
    // A channel that is opened meanwhile is listened to behind the flood.
    const more = sized({ quick: 300, soak: 50_000 });
    await rig.writer.query(
      `select pg_notify('flood', n || repeat('x', 7000)) from generate_series(1, $1::int) n`,
      [more],
    );
    const late = await rig.open(listen, 'late');
    await listen.notify('late', 'heard');
    await until(() => late.events.length === 1 && sink.events.length === count + more);
    expect([sink.resets, late.resets]).toEqual([0, 0]);
    expect(listen.logger.errors).toEqual([]);
  });
});
