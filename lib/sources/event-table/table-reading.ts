import type { Histogram } from '../../channel/histogram.js';
import type { SseLogger } from '../../channel/source.js';
import { tallyOf } from '../../channel/tally.js';
import type { Session } from '../postgres/session.js';
import { eventOfRow, type EventRow } from './event-row.js';
import type { Fence } from './fence.js';
import { formatPosition, type Position } from './position.js';
import type {
  ReaderPage,
  ReaderRow,
  ReaderStatements,
  TableHead,
  TableMark,
} from './reader-statements.js';
import type { Topics } from './topics.js';
import { wholePage } from './whole-page.js';

/**
 * The last row that we have read, or its place. Each look reads it again: another row in its place, or
 * rows between it and the position, mean that somebody has replaced the history.
 */
interface Anchor {
  readonly id: number;
  /** When the row was written, `null` when there is none, `undefined` before the first look. */
  readonly stamp: number | null | undefined;
}

/** The place of this process in the table, and how it moves: page by page, hole by hole. */
export class TableReading {
  private place: Position | undefined;
  private anchor: Anchor = { id: 0, stamp: undefined };
  /** The last id that had been given out at the last look. */
  private lastSeen = 0;
  /** For how long rows were under way, by the server's clock, in seconds. */
  private readonly delay: Histogram;
  private incarnation = 0;
  private rewritten = 0;
  /** Whether we found another history, and clients have not been told yet. */
  private isAnother = false;

  constructor(
    private readonly statements: ReaderStatements,
    private readonly topics: Topics,
    private readonly fence: Fence,
    private readonly logger: SseLogger,
    /** Makes the reader look at the table again soon. */
    private readonly wake: () => void,
  ) {
    this.delay = tallyOf(logger).delays.of({ 'sse.source': 'event-table' });
  }

  /** How many ids were given out at the last look that have not been read, nor found empty. */
  get backlog(): number {
    return this.place ? Math.max(0, this.lastSeen - this.place.id) : 0;
  }

  /** Every event up to here has been appended; `undefined` until the start has been found. */
  get position(): Position | undefined {
    return this.place;
  }

  /** Finds where to start, or whether the stream can go on where it was. */
  async begin(session: Session): Promise<void> {
    this.topics.admitAll();
    await this.statements.catchUp(session);
    const head = await this.statements.head(session);
    const before = this.place;
    if (!before) {
      await this.moveTo(session, head);
      this.topics.live(this.text());
    } else if (this.isAnother || this.isReplaced(head)) {
      await this.startAnew(session, head);
    } else {
      this.pass(head.floor - 1);
    }
  }

  /**
   * Reads one page and what fills its holes.
   *
   * @returns whether to look again at once
   */
  async advance(session: Session): Promise<boolean> {
    const page = await this.look(session);
    if (!page) {
      return false;
    }
    if (this.append(page, 0)) {
      return page.more;
    }
    // Everything up to the last event that can be seen is settled once the fence is passed.
    const settled = Number(page.rows.at(-1)!.id);
    await this.fence.pass(session, this.text());
    while (this.place!.id < settled) {
      const filled = await this.look(session);
      if (!filled) {
        return false;
      }
      const next = filled.rows.find(({ id }) => Number(id) > this.place!.id);
      if (Number(next?.id) !== this.place!.id + 1) {
        // The events here were rolled back, or dropped before we read them.
        this.pass((await this.statements.floor(session)) - 1);
      }
      this.append(filled, settled);
      const reached = filled.more ? Number(filled.rows.at(-1)?.id ?? 0) : settled;
      if (this.place!.id < settled && reached >= settled) {
        // The last event of the first page has been deleted in the meantime.
        this.place = { ...this.place!, id: settled };
      }
    }
    // Events may have been committed while we waited at the fence.
    this.wake();
    return page.more;
  }

  /**
   * Reads the page after the position, up to the last id that was taken; `undefined` when somebody has
   * replaced the history: then the stream goes on at its end.
   */
  private async look(session: Session): Promise<ReaderPage | undefined> {
    const page = await wholePage(
      session,
      this.statements,
      this.topics,
      this.anchor.id,
      this.place!.id,
    );
    this.lastSeen = page.mark.last;
    if (this.isReplaced(page.mark) || (await this.isOther(session, page.rows))) {
      // The session may end before clients are told, and the next one may not find it out again.
      this.isAnother = true;
      await this.statements.catchUp(session);
      await this.startAnew(session, await this.statements.head(session));
      return undefined;
    }
    if (page.mark.rewritten !== this.rewritten) {
      this.rewritten = page.mark.rewritten;
      this.announce(this.text());
    }
    this.pass(page.mark.removed);
    // The rows are in the order of their ids.
    const taken = page.rows.findLastIndex(({ id }) => Number(id) <= page.mark.last) + 1;
    if (taken === page.rows.length) {
      return page;
    }
    // The sequence has not reached the ids of the other rows, and will give out lower ones before. We
    // read these rows once it has.
    await this.statements.catchUp(session);
    return { ...page, rows: page.rows.slice(0, taken), more: true };
  }

  /** Whether the table's marks show another history than the one that we have read. */
  private isReplaced(mark: Omit<TableMark, 'removed'>): boolean {
    const { timeline, id } = this.place!;
    return (
      (mark.timeline ?? timeline) !== timeline ||
      mark.last < id ||
      mark.incarnation !== this.incarnation
    );
  }

  /** Whether the rows up to the position are others than those that we have read. */
  private async isOther(session: Session, rows: readonly ReaderRow[]): Promise<boolean> {
    const { id, stamp } = this.anchor;
    const next = rows.findIndex((row) => Number(row.id) > this.place!.id);
    const read = next < 0 ? rows : rows.slice(0, next);
    const found = read.find((row) => Number(row.id) === id)?.stamp ?? null;
    const isSame = stamp === undefined || (stamp === found && read.length < 2);
    // The row was dropped with its partition, or deleted. Perhaps somebody removed those before it as
    // well, and wrote others.
    const isGone = found === null && read.length === 0;
    const isOther =
      !isSame && (!isGone || (await this.statements.isWrittenAfter(session, id, stamp!)));
    // Only now, as the session may end during the question.
    this.anchor = { id, stamp: found };
    return isOther;
  }

  private async startAnew(session: Session, head: TableHead): Promise<void> {
    const before = this.text();
    await this.moveTo(session, head);
    this.isAnother = false;
    this.announce(before);
  }

  /** Tells clients that the events up to here may not be those that they have received. */
  private announce(before: string): void {
    this.topics.reset('failover', this.text());
    this.logger.warn(
      `Postgres event table: the server lost or replaced its history (we had read up to ${before}). Clients receive sse:reset.`,
    );
  }

  /** Goes to the end of the table, once the transactions that are open there have ended. */
  private async moveTo(session: Session, head: TableHead): Promise<void> {
    const { timeline, last: id } = head;
    await this.fence.pass(session, formatPosition({ timeline, id }));
    this.place = { timeline, id };
    this.incarnation = head.incarnation;
    this.rewritten = head.rewritten;
    this.anchor = { id, stamp: undefined };
  }

  /** Announces events up to an id that were removed before they were read. */
  private pass(id: number): void {
    const { timeline, id: before } = this.place!;
    if (before < id) {
      this.place = { timeline, id };
      this.anchor = { id, stamp: undefined };
      this.topics.reset('trimmed', this.text());
    }
  }

  /**
   * Appends the events of a page, up to the first hole above `settled`. Returns false when there
   * is one.
   */
  private append({ rows }: ReaderPage, settled: number): boolean {
    const { timeline } = this.place!;
    // One time for all, as they are appended in one turn of the event loop.
    const now = Date.now() / 1_000;
    for (const row of rows) {
      const id = Number(row.id);
      const { id: before } = this.place!;
      if (id <= before) {
        continue;
      }
      if (id !== before + 1 && id > settled) {
        return false;
      }
      this.place = { timeline, id };
      this.anchor = { id, stamp: row.stamp };
      if (row.data !== null) {
        this.delay.record(Math.max(0, now - row.stamp));
        this.topics.append(row.topic, eventOfRow(row as EventRow, this.text()));
      } else if (row.size !== null || row.unreadable !== undefined) {
        this.topics.skip(row.topic, this.text(), row);
      }
    }
    return true;
  }

  private text(): string {
    return formatPosition(this.place!);
  }
}
