import type { EventRow } from './event-row.js';

/** Data above this size is fetched by itself, so that a page of events stays small. In bytes. */
const LARGE = 8_192;

/** A page holds no more than this of large data, in bytes; a larger event is a page of its own. */
export const PAGE_BYTES = 4_194_304;

/** A row whose data is still to be fetched, if it is large. */
export interface LargeRow extends Omit<EventRow, 'data'> {
  readonly data: string | null;
  /** The size of the data in bytes, if it is large and has been left out. */
  readonly size: number | null;
}

/** The columns of a `LargeRow`, for a table called `e`; no data where `wanted` is false. */
export function largeRowColumns(wanted = 'true'): string {
  const data = `case when ${wanted} and octet_length(e.data) <= ${LARGE} then e.data end as data`;
  const size = `case when ${wanted} and octet_length(e.data) > ${LARGE} then octet_length(e.data) end as size`;
  // A null costs least, for the server and for us.
  return `e.id, e.event, ${data}, e.own_id, e.retry, nullif(e.done, false) as done, ${size}`;
}

/** The statement that `fetch` runs. `s` is the quoted schema. */
export function largeDataSql(s: string): string {
  return `select e.id, e.data from ${s}.event e where e.id = any ($1::bigint[])`;
}

/** Events with their data, and whether rows behind them were left for the next page. */
export interface FilledRows<Row> {
  readonly rows: readonly Row[];
  readonly isCut: boolean;
}

/**
 * Fetches the data that a page has left out. The page ends before an event that would make it too
 * large, and before one that has been deleted meanwhile: reading on shows what is there.
 */
export async function withLargeData<Row extends LargeRow>(
  rows: readonly Row[],
  fetch: (ids: readonly string[]) => Promise<readonly Pick<EventRow, 'id' | 'data'>[]>,
): Promise<FilledRows<Row>> {
  const ids: string[] = [];
  let bytes = 0;
  let end = rows.length;
  for (const [index, { id, size }] of rows.entries()) {
    if (size !== null) {
      if (bytes > 0 && bytes + size > PAGE_BYTES) {
        end = index;
        break;
      }
      bytes += size;
      ids.push(id);
    }
  }
  if (ids.length === 0) {
    return { rows, isCut: false };
  }
  const data = new Map((await fetch(ids)).map((row) => [row.id, row.data]));
  const filled: Row[] = [];
  for (const row of rows.slice(0, end)) {
    if (row.size !== null && !data.has(row.id)) {
      break;
    }
    filled.push(row.size === null ? row : { ...row, data: data.get(row.id)! });
  }
  return { rows: filled, isCut: filled.length < rows.length };
}
