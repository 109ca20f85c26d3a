import { connect, quantile, readStream } from './rig.js';

/** What each event has once. */
const LINE = '\ndata:';

/** Events per second of a bare SELECT through `pg`, and of a client that starts at the earliest. */
export async function catchUp(
  url: string,
  appUrl: string,
  events: number,
  rounds: number,
): Promise<{ select: number; client: number }> {
  const client = await connect(url);
  await client.query(
    `insert into sse.event (topic, event, data)
     select 'past', 'update', json_build_object('id', n, 'text', 'about as much as a row holds that somebody watches')::text
     from generate_series(1, $1) n`,
    [events],
  );
  await client.query('vacuum analyze sse.event');
  const [selects, clients]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const selected = performance.now();
    const { rows } = await client.query(
      `select id, topic, event, data, own_id, retry, done from sse.event where topic = 'past' order by id`,
    );
    selects.push(performance.now() - selected);
    if (rows.length !== events) throw new Error(`${rows.length} of ${events} rows were read.`);

    const started = performance.now();
    await new Promise<void>((resolve, reject) => {
      let count = 0;
      let rest = '';
      let close: (() => void) | undefined;
      readStream(
        `${appUrl}/past`,
        (text) => {
          // Each event has one such line; a chunk may end within it.
          const seen = rest + text;
          for (let at = seen.indexOf(LINE); at >= 0; at = seen.indexOf(LINE, at + LINE.length))
            count++;
          rest = seen.slice(1 - LINE.length);
          if (count >= events) {
            close?.();
            resolve();
          }
        },
        { 'last-event-id': 'earliest' },
      ).then((end) => (close = end), reject);
    });
    clients.push(performance.now() - started);
  }
  await client.end();
  const speed = (times: number[]): number => Math.round(events / (quantile(times, 0.5) / 1_000));
  return { select: speed(selects), client: speed(clients) };
}
