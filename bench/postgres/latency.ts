import { eventTableSql } from '../../lib/index.js';
import { connect, pause, prepareRows, quantile, readStream, startApp } from './rig.js';

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

const summary = (values: readonly number[]): Latency => ({
  p50: Math.round(quantile(values, 0.5) * 100) / 100,
  p99: Math.round(quantile(values, 0.99) * 100) / 100,
});

/** From COMMIT to the callback of `pg`, for a bare NOTIFY on an idle system. */
export async function bareNotify(url: string, samples: number): Promise<Latency> {
  const [writer, listener] = [await connect(url), await connect(url)];
  await listener.query('listen bare');
  // How long the disk takes is not what is compared: a bare NOTIFY writes nothing to it.
  await writer.query('set synchronous_commit = off');
  let heard: (() => void) | undefined;
  listener.on('notification', () => heard?.());
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    await writer.query('begin');
    await writer.query(`select pg_notify('bare', $1)`, [String(sample)]);
    const arrived = new Promise<void>((resolve) => (heard = resolve));
    const started = performance.now();
    void writer.query('commit');
    await arrived;
    times.push(performance.now() - started);
    await pause(5 + Math.random() * 20);
  }
  await Promise.all([writer.end(), listener.end()]);
  return summary(times.slice(10));
}

/** The same to a client over HTTP, by way of the least that reads the event table. */
export async function floor(url: string, samples: number): Promise<Latency> {
  const client = await connect(url);
  await client.query(eventTableSql());
  await client.end();
  const program = await startApp('floor', url);
  try {
    return await idle(url, program.url, undefined, samples);
  } finally {
    await program.stop();
  }
}

/** From COMMIT to a client of the application over HTTP, on an idle system. */
export async function idle(
  url: string,
  appUrl: string,
  wake: string | undefined,
  samples: number,
): Promise<Latency> {
  const writer = await connect(url);
  await prepareRows(writer, 'event table, default');
  await writer.query('set synchronous_commit = off');
  if (wake) await writer.query(`set sse.wake = '${wake}'`);
  let heard: (() => void) | undefined;
  const close = await readStream(`${appUrl}/rows`, (text) => {
    if (text.includes('data:')) heard?.();
  });
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    await writer.query('begin');
    await writer.query('update rows set n = n + 1 where id = $1', [1 + (sample % 1_000)]);
    const arrived = new Promise<void>((resolve) => (heard = resolve));
    const started = performance.now();
    void writer.query('commit');
    await arrived;
    times.push(performance.now() - started);
    await pause(5 + Math.random() * 20);
  }
  close();
  await writer.end();
  return summary(times.slice(10));
}

/** The same at a steady rate of commits, from before the statement is sent. */
export async function busy(
  url: string,
  appUrl: string,
  wake: string | undefined,
  perSecond: number,
  seconds: number,
): Promise<Latency & { readonly perSecond: number }> {
  const writers = await Promise.all(Array.from({ length: 8 }, () => connect(url)));
  await prepareRows(writers[0]!, 'event table, default');
  await writers[0]!.query('alter table rows add column sent float8');
  for (const writer of writers) if (wake) await writer.query(`set sse.wake = '${wake}'`);
  const times: number[] = [];
  let rest = '';
  const close = await readStream(`${appUrl}/rows`, (text) => {
    const now = performance.now();
    const events = (rest + text).split('\n\n');
    rest = events.pop()!;
    for (const event of events) {
      const sent = /"sent":([\d.]+)/.exec(event)?.[1];
      if (sent !== undefined) times.push(now - Number(sent));
    }
  });
  const total = perSecond * seconds;
  const started = performance.now();
  let written = 0;
  await Promise.all(
    writers.map(async (writer) => {
      for (;;) {
        const number = written++;
        if (number >= total) return;
        const due = started + (number / perSecond) * 1_000;
        if (due > performance.now()) await pause(due - performance.now());
        await writer.query({
          name: 'write',
          text: 'update rows set sent = $2 where id = $1',
          values: [1 + (number % 10_000), performance.now()],
        });
      }
    }),
  );
  const took = (performance.now() - started) / 1_000;
  const deadline = performance.now() + 10_000;
  while (times.length < total && performance.now() < deadline) await pause(10);
  close();
  await Promise.all(writers.map((writer) => writer.end()));
  if (times.length !== total) throw new Error(`${times.length} of ${total} events arrived.`);
  return { ...summary(times), perSecond: Math.round(total / took) };
}
