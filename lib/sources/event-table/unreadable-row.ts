import { failureText, isDataRefusal } from '../postgres/postgres-error.js';
import type { LargeRow } from './large-data.js';

/** A row whose text the server cannot convert to UTF-8, such as bytes that form no character. */
export interface UnreadableRow {
  readonly id: number;
  readonly reason: string;
}

/** A page, and the unreadable row that follows it, if the page ends there. */
export interface PageBeforeUnreadable<Page> {
  readonly page: Page;
  readonly unreadable: UnreadableRow | undefined;
}

/**
 * Reads a page again after the server has refused it for the text of a row, which must not stop all
 * others. The page ends before the first unreadable row, and names that row.
 *
 * @param ids the rows of the refused page, in order
 * @param after the id after which the page begins
 * @param read reads the rows after an id, up to another
 */
export async function readAroundUnreadable<Page extends { readonly rows: readonly LargeRow[] }>(
  ids: readonly number[],
  after: number,
  read: (after: number, upTo: number) => Promise<Page>,
): Promise<PageBeforeUnreadable<Page>> {
  let page: Page | undefined;
  let readable = 0;
  let refused = ids.length;
  while (readable + 1 < refused) {
    const middle = (readable + refused) >> 1;
    const found = await orRefusal(read(after, ids[middle - 1]!));
    if ('page' in found) {
      page = found.page;
      readable = middle;
    } else {
      refused = middle;
    }
  }
  const id = ids[readable];
  const isWhole = !page || Number(page.rows.at(-1)?.id) === ids[readable - 1];
  // By itself, as rows may have become visible before it.
  const alone = id !== undefined && isWhole ? await orRefusal(read(id - 1, id)) : undefined;
  return {
    page: page ?? (await read(after, after)),
    unreadable: alone && 'reason' in alone ? { id: id!, reason: alone.reason } : undefined,
  };
}

/** An unreadable row as one of a page: without its texts. */
export function unreadableRow({ id, reason }: UnreadableRow): LargeRow {
  const texts = { event: null, data: null, own_id: null };
  return { ...texts, id: String(id), retry: null, done: null, size: null, unreadable: reason };
}

async function orRefusal<Page>(
  reading: Promise<Page>,
): Promise<{ readonly page: Page } | { readonly reason: string }> {
  try {
    return { page: await reading };
  } catch (error) {
    if (!isDataRefusal(error)) {
      throw error;
    }
    return { reason: failureText(error) };
  }
}
