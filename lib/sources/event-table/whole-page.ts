import { isDataRefusal } from '../postgres/postgres-error.js';
import type { Session } from '../postgres/session.js';
import type { ReaderPage, ReaderStatements } from './reader-statements.js';
import type { Topics } from './topics.js';
import { askForStorable } from './unstorable-topics.js';

/**
 * Reads the rows from an id on, with the data of all that somebody reads here.
 *
 * @param from the id of the first row
 * @param read the id up to which rows have been read, and need no data
 */
export async function wholePage(
  session: Session,
  statements: ReaderStatements,
  topics: Topics,
  from: number,
  read: number,
): Promise<ReaderPage> {
  for (;;) {
    const { listed: asked } = topics;
    const run = (text: string, values: unknown[]) => session.queryAgainAfterLocks({ text, values });
    const page = await askForStorable(topics, run, (listed) =>
      statements.page(session, from, listed),
    ).catch((error: unknown) => {
      if (!isDataRefusal(error)) {
        throw error;
      }
      return statements.pageAroundUnreadable(session, from, topics.listed);
    });
    // A channel that was opened meanwhile needs the data as well.
    const isComplete =
      (asked !== undefined && topics.listed === asked) ||
      page.rows.every(
        ({ id, topic, data, size, unreadable }) =>
          data !== null ||
          size !== null ||
          unreadable !== undefined ||
          Number(id) <= read ||
          !topics.has(topic),
      );
    if (isComplete) {
      return page;
    }
  }
}
