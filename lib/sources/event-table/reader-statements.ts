import { SseError } from '../../channel/sse-error.js';
import { quoteName, quoteText } from '../postgres/identifier.js';
import { isDataRefusal } from '../postgres/postgres-error.js';
import type { Session } from '../postgres/session.js';
import { largeDataSql, largeRowColumns, withLargeData, type LargeRow } from './large-data.js';
import { readAroundUnreadable, unreadableRow } from './unreadable-row.js';

/** Rows per page of the reader: large enough for a burst, small enough for one turn. */
const PAGE_ROWS = 501;

export interface TableHead {
  readonly timeline: number;
  /** Every id up to this one has been taken. */
  readonly last: number;
  /** Events below this id have been dropped. */
  readonly floor: number;
  /** Identifies the table: another table under the same name has another. */
  readonly incarnation: number;
  /** Changes when a row is written below the ids that were taken before. */
  readonly rewritten: number;
}

/**
 * A row as the reader selects it: with its topic, and without data that no channel here wants.
 */
export interface ReaderRow extends LargeRow {
  readonly topic: string;
  /** When the row was written: another row in its place has another time. */
  readonly stamp: number;
}

/**
 * Marks that each look at the table brings besides the rows, so that we notice a replaced history.
 */
export interface TableMark extends Pick<TableHead, 'last' | 'incarnation' | 'rewritten'> {
  /** Events up to this id were removed by hand. */
  readonly removed: number;
  /** `undefined` without a pooler, as another server cannot answer on the same session. */
  readonly timeline: number | undefined;
}

/** A page of the table, whatever the topics. */
export interface ReaderPage {
  readonly rows: readonly ReaderRow[];
  readonly more: boolean;
  readonly mark: TableMark;
}

function markOf(text: string): TableMark {
  const [last, incarnation, rewritten, removed, timeline] = text.split(' ').map(Number);
  return {
    last: last!,
    incarnation: incarnation!,
    rewritten: rewritten!,
    removed: removed!,
    timeline,
  };
}

export class ReaderStatements {
  private readonly s: string;

  /** @param eventSize larger data is not fetched */
  constructor(
    private readonly schema: string,
    private readonly eventSize: number,
  ) {
    this.s = quoteName(schema);
  }

  /** @throws SseError `UNAVAILABLE` when the role may not see the sequence */
  async head(session: Session): Promise<TableHead> {
    const sequence = `${this.s}.event_id_seq`;
    const [row] = await session.queryAgainAfterLocks<
      Record<keyof TableHead, string> & { sees: boolean }
    >({
      text: `select timeline, last, floor, incarnation,
        coalesce((select rewritten from ${this.s}.history where one), 0) as rewritten,
        has_sequence_privilege(${quoteText(sequence)}, 'select') as sees
        from ${this.s}.head()`,
    });
    if (row?.sees !== true) {
      // Some releases of Postgres refuse to show it, and others show it as unused.
      throw new SseError(
        'UNAVAILABLE',
        `The role may not read the sequence of the event table. Run: grant select on sequence ${sequence} to public.`,
      );
    }
    return {
      timeline: Number(row.timeline),
      last: Number(row.last),
      floor: Number(row.floor),
      incarnation: Number(row.incarnation),
      rewritten: Number(row.rewritten),
    };
  }

  /**
   * Reads the events from an id on. Topics are not filtered, as holes between ids have to stay
   * visible; but only the data of those in `topics` is transferred, or all if `undefined`. The row
   * with the id itself comes without its texts: it may be one that cannot be shown.
   */
  async page(
    session: Session,
    from: number,
    topics: readonly string[] | undefined,
    upTo = Number.MAX_SAFE_INTEGER,
  ): Promise<ReaderPage> {
    const wanted = 'e.id > $1 and ($2::text[] is null or e.topic = any ($2))';
    // Within, so that the server finds out once for each row which columns are wanted.
    const rowsOfPage = `select e.id, e.topic, e.event, e.data, e.own_id, e.retry, e.done, e.created_at,
        ${wanted} as wanted
      from ${this.s}.event e where e.id >= $1 and e.id <= $3 order by e.id limit ${PAGE_ROWS}`;
    // All rows are of one snapshot, and the sequence is read after it: a row with an id above the
    // sequence did not take its id from there.
    const found = await session.queryAgainAfterLocks<ReaderRow & { id: string | null }>({
      name: `sse_page_${this.schema}`,
      text: `(select ${largeRowColumns(PAGE_ROWS, 'e.wanted')}, case when e.id > $1 then e.topic end as topic, date_part('epoch', e.created_at) as stamp
          from (${rowsOfPage}) e)
        union all
        select null, null, ${this.markSql(session)}, null, null, null, null, null, null
          from (select 1) o left join ${this.s}.history h on h.one`,
      values: [from, topics ?? null, upTo],
    });
    const mark = markOf(found.find(({ id }) => id === null)!.data!);
    const page = found.filter(({ id }) => id !== null);
    const { rows, isCut } = await withLargeData(page, this.eventSize, (ids) =>
      session.queryAgainAfterLocks({ text: largeDataSql(this.s), values: [ids] }),
    );
    return { rows, more: isCut || page.length === PAGE_ROWS, mark };
  }

  /** The same once the server has refused the page for the text of a row. */
  async pageAroundUnreadable(
    session: Session,
    from: number,
    topics: readonly string[] | undefined,
  ): Promise<ReaderPage> {
    const rows = await session.queryAgainAfterLocks<{ id: string; stamp: number }>({
      text: `select e.id, date_part('epoch', e.created_at) as stamp
        from ${this.s}.event e where e.id > $1 order by e.id limit ${PAGE_ROWS}`,
      values: [from],
    });
    const ids = rows.map(({ id }) => Number(id));
    const { page, unreadable } = await readAroundUnreadable(ids, from, (after, upTo) =>
      this.page(session, after, topics, upTo),
    );
    if (!unreadable) {
      return { ...page, more: true };
    }
    const { id, stamp } = rows.find((row) => Number(row.id) === unreadable.id)!;
    const topic = await this.topicOf(session, id);
    const row = { ...unreadableRow(unreadable), topic, stamp };
    return { ...page, rows: [...page.rows, row], more: true };
  }

  /** The topic of an unreadable row; empty when the topic itself is what cannot be shown. */
  private async topicOf(session: Session, id: string): Promise<string> {
    try {
      const [row] = await session.queryAgainAfterLocks<{ topic: string }>({
        text: `select e.topic from ${this.s}.event e where e.id = $1`,
        values: [id],
      });
      return row?.topic ?? '';
    } catch (error) {
      if (!isDataRefusal(error)) {
        throw error;
      }
      return '';
    }
  }

  /** Without a function, whose call would cost more than the rest of an idle look. */
  private markSql({ isPooled }: Session): string {
    const parts = [
      `coalesce(pg_sequence_last_value(${quoteText(`${this.s}.event_id_seq`)}::regclass), 0)`,
      `${quoteText(`${this.s}.event`)}::regclass::oid`,
      'coalesce(h.rewritten, 0)',
      'coalesce(h.removed, 0)',
      ...(isPooled ? [`${this.s}.timeline()`] : []),
    ];
    return `concat_ws(' ', ${parts.join(', ')})`;
  }

  /** Takes the ids of rows that were written without taking one from the sequence; see `catch_up()`. */
  async catchUp(session: Session): Promise<void> {
    for (let isDone = false; !isDone;) {
      const [row] = await session.queryAgainAfterLocks<{ done: boolean }>({
        text: `select ${this.s}.catch_up() as done`,
      });
      isDone = row!.done;
    }
  }

  /** Whether the last row below an id was written after a time, in seconds since the epoch. */
  async isWrittenAfter(session: Session, id: number, time: number): Promise<boolean> {
    const [row] = await session.queryAgainAfterLocks<{ later: boolean }>({
      text: `select date_part('epoch', e.created_at) > $2 as later
        from ${this.s}.event e where e.id < $1 order by e.id desc limit 1`,
      values: [id, time],
    });
    return row?.later === true;
  }

  /** Events below this id have been dropped. */
  async floor(session: Session): Promise<number> {
    const [row] = await session.queryAgainAfterLocks<{ floor: string }>({
      name: `sse_floor_${this.schema}`,
      text: `select ${this.s}.floor() as floor`,
    });
    return Number(row!.floor);
  }

  /**
   * Saves planning the same statements with each look. A plan that was made while the table was
   * small must not read all of it when it is large.
   */
  async prepare(session: Session): Promise<void> {
    if (!session.isPooled) {
      await session.query({
        text: 'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off; set jit = off',
      });
    }
  }

  async listen(session: Session): Promise<void> {
    await session.query({ text: `listen ${this.s}` });
  }
}
