import type { Session } from './session.js';

/** An attached partition of the event table. */
export interface Partition {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly pending: boolean;
  readonly bytes: number;
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  readonly last: number;
}

/**
 * Reads the partitions in the order of their ids.
 *
 * @param schema the schema's name, quoted
 */
export async function readPartitions(
  session: Session,
  schema: string,
): Promise<readonly Partition[]> {
  try {
    return await look(session, schema);
  } catch (error) {
    if (session.isClosed || (error as { code?: unknown }).code !== '42P01') {
      throw error;
    }
    // Another instance has dropped a partition in the meantime.
    return look(session, schema);
  }
}

async function look(session: Session, schema: string): Promise<readonly Partition[]> {
  const rows = await session.query<Record<string, string | boolean | null>>({
    text: `select name, low, high, pending, bytes, last,
      extract(epoch from oldest) * 1000 as oldest, extract(epoch from newest) * 1000 as newest
      from ${schema}.usage()`,
  });
  return rows.map((row) => ({
    name: String(row['name']),
    low: Number(row['low']),
    high: Number(row['high']),
    pending: row['pending'] === true,
    bytes: Number(row['bytes']),
    last: Number(row['last']),
    oldest: row['oldest'] === null ? undefined : Number(row['oldest']),
    newest: row['newest'] === null ? undefined : Number(row['newest']),
  }));
}
