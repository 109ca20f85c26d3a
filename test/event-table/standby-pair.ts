import pg from 'pg';
import { startPostgres, type PostgresServer } from '../support/postgres.js';
import { startProxy, type TcpProxy } from '../support/proxy.js';
import { until } from '../support/until.js';

/** A primary, and a standby that follows it. */
export interface StandbyPair {
  readonly primary: PostgresServer;
  readonly standby: PostgresServer;
  /** Between the two. */
  readonly link: TcpProxy;
  /** What the applications connect to: at first it leads to the primary. */
  readonly proxy: TcpProxy;
  stop(): Promise<void>;
}

/** @param settings those of the standby */
export async function startStandbyPair(
  settings: Record<string, string> = {},
): Promise<StandbyPair> {
  const started: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of started.splice(0).toReversed()) await each();
  };
  try {
    const primary = await startPostgres({ durable: true });
    started.push(() => primary.stop());
    const link = await startProxy(primary.url);
    started.push(() => link.close());
    const { url, dataDir } = primary;
    const standby = await startPostgres({
      durable: true,
      settings,
      standbyOf: { url, dataDir, followUrl: link.url(url) },
    });
    started.push(() => standby.stop());
    const proxy = await startProxy(url);
    started.push(() => proxy.close());
    return { primary, link, standby, proxy, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until the standby shows what the primary has committed. */
export async function replicated(primary: string): Promise<void> {
  const client = new pg.Client({ connectionString: primary });
  await client.connect();
  try {
    const { rows } = await client.query<{ lsn: string }>('select pg_current_wal_lsn() as lsn');
    await until(async () => {
      const { rowCount } = await client.query(
        'select from pg_stat_replication where replay_lsn >= $1::pg_lsn',
        [rows[0]!.lsn],
      );
      return rowCount === 1;
    });
  } finally {
    await client.end();
  }
}
