import { quoteName, quoteText } from '../postgres/identifier.js';
import { largeDataSql, largeRowColumns, withLargeData, type LargeRow } from './large-data.js';
import type { Session } from './session.js';

/** Rows per page of the reader: large enough for a burst, small enough for one turn. */
const PAGE_ROWS = 500;

/** Where the table stands. */
export interface TableHead {
  readonly timeline: number;
  /** Every id up to this one has been taken. */
  readonly last: number;
  /** Events below this id have been dropped. */
  readonly floor: number;
  /** Another table has another one, by the same name. */
  readonly incarnation: number;
}

/** A row as the reader selects it: with its topic, and without data where nobody asked. */
export interface ReaderRow extends LargeRow {
  readonly topic: string;
}

/** A page of the table, whatever the topics. */
export interface ReaderPage {
  readonly rows: readonly ReaderRow[];
  /** True when there may be more behind it. */
  readonly more: boolean;
}

/** A transaction that may still write to the table. */
export interface OpenWriter {
  /** The process that runs it; `undefined` for a prepared transaction. */
  readonly pid: number | undefined;
  /** Since when it is open, in milliseconds; `undefined` when the role may not see it. */
  readonly age: number | undefined;
}

/** The reader's statements for one schema. */
export class ReaderStatements {
  readonly #schema: string;
  readonly #s: string;

  constructor(schema: string) {
    this.#schema = schema;
    this.#s = quoteName(schema);
  }

  async head(session: Session): Promise<TableHead> {
    const [row] = await session.query<Record<keyof TableHead, string>>({
      text: `select timeline, last, floor, incarnation from ${this.#s}.head()`,
    });
    return {
      timeline: Number(row!.timeline),
      last: Number(row!.last),
      floor: Number(row!.floor),
      incarnation: Number(row!.incarnation),
    };
  }

  /**
   * Reads the events after an id. Topics are not filtered, as holes between ids have to stay
   * visible; but only the data of those in `topics` is transferred, or all if `undefined`.
   */
  async page(
    session: Session,
    after: number,
    topics: readonly string[] | undefined,
  ): Promise<ReaderPage> {
    const wanted = '($2::text[] is null or e.topic = any ($2))';
    const found = await session.query<ReaderRow>({
      name: `sse_page_${this.#schema}`,
      text: `select ${largeRowColumns(wanted)}, e.topic from ${this.#s}.event e
        where e.id > $1 order by e.id limit ${PAGE_ROWS}`,
      values: [after, topics ?? null],
    });
    const { rows, isCut } = await withLargeData(found, (ids) =>
      session.query({ text: largeDataSql(this.#s), values: [ids] }),
    );
    return { rows, more: isCut || rows.length === PAGE_ROWS };
  }

  /** Events below this id have been dropped. */
  async floor(session: Session): Promise<number> {
    const [row] = await session.query<{ floor: string }>({
      name: `sse_floor_${this.#schema}`,
      text: `select ${this.#s}.floor() as floor`,
    });
    return Number(row!.floor);
  }

  /** The open transactions that have written to the table, or may be about to. */
  async writers(session: Session): Promise<readonly string[]> {
    const [row] = await session.query<{ writers: string[] }>({
      name: `sse_writers_${this.#schema}`,
      text: `select ${this.#s}.writers() as writers`,
    });
    return row!.writers;
  }

  /** What can be told of open transactions. */
  async describeWriters(
    session: Session,
    writers: readonly string[],
  ): Promise<readonly OpenWriter[]> {
    const rows = await session.query<{ pid: number | null; age: number | null }>({
      text: `select l.pid,
        (extract(epoch from clock_timestamp() - coalesce(a.xact_start, x.prepared)) * 1000)::float8 as age
      from (select distinct pid, virtualtransaction from pg_locks
            where virtualtransaction = any ($1) and locktype = 'relation' and relation = ${quoteText(`${this.#s}.event`)}::regclass) l
      left join pg_stat_activity a on a.pid = l.pid
      left join lateral (select min(prepared) as prepared from pg_prepared_xacts
        where database = current_database()) x on l.pid is null`,
      values: [writers],
    });
    return rows.map(({ pid, age }) => ({ pid: pid ?? undefined, age: age ?? undefined }));
  }

  /**
   * Tries to become the elected instance, for as long as the session lasts. Those that may not be
   * the waker elect one for the retention among themselves, or else nobody might wake the others.
   */
  async elect(session: Session, waker: boolean): Promise<boolean> {
    const [row] = await session.query<{ elected: boolean }>({
      text: 'select pg_try_advisory_lock(hashtextextended($1, 0)) as elected',
      values: [`nestjs-sse-channels ${waker ? 'elected' : 'retention'} ${this.#schema}`],
    });
    return row!.elected;
  }

  /**
   * Saves planning the same statements with each look. A plan that was made while the table was
   * small must not read all of it when it is large.
   */
  async prepare(session: Session): Promise<void> {
    if (!session.isPooled) {
      await session.query({
        text: 'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off',
      });
    }
  }

  async listen(session: Session): Promise<void> {
    await session.query({ text: `listen ${this.#s}` });
  }
}
