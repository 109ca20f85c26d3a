import type { EventRow } from './event-row.js';

/** Data above this size is fetched by itself, so that a page of events stays small. In bytes. */
const LARGE_BYTES = 8_192;

/** A page holds no more than this of large data, in bytes; a larger event is a page of its own. */
export const PAGE_BYTES = 4_194_304;

/** The most bytes of small data in a page; see `largeRowColumns()`. */
const MOST_INLINE_BYTES = 2 * PAGE_BYTES;

/** A row before its data has been fetched, if that is large. */
export interface LargeRow extends Omit<EventRow, 'data'> {
  readonly data: string | null;
  /** The size of the data in bytes, if it is large and has been left out. */
  readonly size: number | null;
  /** Why the server cannot show the row; set where it cannot. */
  readonly unreadable?: string;
}

/**
 * The columns of a `LargeRow`, for a table called `e`; no texts where `wanted` is false.
 *
 * @param rows the most rows of a page: the more rows, the less data comes along with each
 */
export function largeRowColumns(rows: number, wanted = 'true'): string {
  const large = Math.min(LARGE_BYTES, Math.floor(MOST_INLINE_BYTES / rows));
  const data = `case when ${wanted} and octet_length(e.data) <= ${large} then e.data end as data`;
  const size = `case when ${wanted} and octet_length(e.data) > ${large} then ${SIZE} end as size`;
  const text = (column: string): string => `case when ${wanted} then ${column} end`;
  // A null costs least, for the server and for us.
  return `e.id, ${text('e.event')} as event, ${data}, ${text('e.own_id')} as own_id, e.retry, nullif(e.done, false) as done, ${size}`;
}

/**
 * The size in bytes, and never more than in UTF-8: in these encodings a character may take more bytes
 * than it does there.
 */
const SIZE = `case when getdatabaseencoding() ~ '^(EUC|MULE)' then length(e.data) else octet_length(e.data) end`;

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
 *
 * @param limit data of more bytes cannot be sent: the row remains without its data
 */
export async function withLargeData<Row extends LargeRow>(
  rows: readonly Row[],
  limit: number,
  fetch: (ids: readonly string[]) => Promise<readonly Pick<EventRow, 'id' | 'data'>[]>,
): Promise<FilledRows<Row>> {
  const isFetched = ({ size }: Row): boolean => size !== null && size <= limit;
  const ids: string[] = [];
  let bytes = 0;
  let end = rows.length;
  for (const [index, row] of rows.entries()) {
    if (isFetched(row)) {
      if (bytes > 0 && bytes + row.size! > PAGE_BYTES) {
        end = index;
        break;
      }
      bytes += row.size!;
      ids.push(row.id);
    }
  }
  if (ids.length === 0) {
    return { rows, isCut: false };
  }
  const data = new Map((await fetch(ids)).map((row) => [row.id, row.data]));
  const filled: Row[] = [];
  for (const row of rows.slice(0, end)) {
    if (isFetched(row) && !data.has(row.id)) {
      break;
    }
    filled.push(isFetched(row) ? { ...row, data: data.get(row.id)! } : row);
  }
  return { rows: filled, isCut: filled.length < rows.length };
}
