import type { ChannelHistory, HistoryEvent, HistoryPage } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { quoteName } from '../postgres/identifier.js';
import type { PostgresConnection } from '../postgres/postgres-connection.js';
import { isDataRefusal } from '../postgres/postgres-error.js';
import { eventOfRow, type EventRow } from './event-row.js';
import { tableError, type TableSettings } from './event-table-error.js';
import {
  largeDataSql,
  largeRowColumns,
  withLargeData,
  type FilledRows,
  type LargeRow,
} from './large-data.js';
import { comparePositions, formatPosition, parsePosition, type Position } from './position.js';
import type { Topics } from './topics.js';
import { isStorable } from './unstorable-topics.js';
import { readAroundUnreadable, unreadableRow } from './unreadable-row.js';

/** The state of the table when a page was read. */
interface Head {
  readonly timeline: number;
  readonly last: number;
  readonly floor: number;
  /** Whether the event at the requested position ended its run. */
  readonly ended: boolean;
}

interface Page extends FilledRows<LargeRow> {
  readonly head: Head;
}

function headOf(text: string): Head {
  const [timeline, last, floor, ended] = text.split(' ').map(Number);
  return { timeline: timeline!, last: last!, floor: floor!, ended: ended === 1 };
}

/** Reads one topic's events again, up to where the reader of this process stands. */
export class EventHistory implements ChannelHistory {
  constructor(
    private readonly connection: PostgresConnection,
    private readonly settings: TableSettings,
    private readonly topic: string,
    private readonly topics: Topics,
    /**
     * The reader has passed every event up to this position, and the log goes on from there.
     */
    private readonly settled: () => Position | undefined,
  ) {}

  compare(a: string, b: string): number {
    return comparePositions(a, b);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const settled = this.settled();
    if (!settled) {
      throw new SseError('UNAVAILABLE', 'The event table has not been read yet.');
    }
    try {
      return await this.readAfter(position, limit, settled);
    } catch (error) {
      if (isDataRefusal(error) && !(await this.isStorable())) {
        return { events: [], last: true };
      }
      throw tableError(error, this.settings);
    }
  }

  private async readAfter(
    text: string | undefined,
    limit: number,
    settled: Position,
  ): Promise<HistoryPage> {
    const asked =
      text === undefined ? { timeline: settled.timeline, id: 0 } : await this.find(text, settled);
    if (!asked) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    const isOwnId = text !== undefined && parsePosition(text) === undefined;
    const { head, rows, isCut } = await this.readablePage(asked.id, settled.id, limit);
    const { timeline, last, floor, ended } = head;
    if (timeline !== settled.timeline) {
      // The reader notices this as well, and tells its channels.
      throw new SseError('UNAVAILABLE', 'The server is on another timeline than the reader.');
    }
    if (asked.timeline !== timeline || asked.id > last) {
      return { events: [], last: true, reset: 'failover' };
    }
    if (text !== undefined && asked.id + 1 < floor) {
      return { events: [], last: true, reset: 'trimmed' };
    }
    if (rows.length === 0 && isCut) {
      return this.readAfter(text, limit, settled);
    }
    return {
      events: rows.map((row) => this.historyEventOf(row, timeline)),
      last: rows.length < limit && !isCut,
      ...(ended && { ended }),
      ...(isOwnId && { position: formatPosition(asked) }),
    };
  }

  private historyEventOf(row: LargeRow, timeline: number): HistoryEvent {
    const position = formatPosition({ timeline, id: Number(row.id) });
    if (row.data === null) {
      this.topics.reportSkipped(this.topic, position, row);
      return { position, data: '', reset: 'skipped-event' };
    }
    return eventOfRow(row as EventRow, position);
  }

  private isStorable(): Promise<boolean> {
    return isStorable(this.topic, (text, values) => this.connection.query(text, values));
  }

  /** Finds the position that a client sent: one of ours, or the publisher's own id. */
  private async find(text: string, { timeline }: Position): Promise<Position | undefined> {
    const position = parsePosition(text);
    if (position || text.includes('\0')) {
      return position;
    }
    // An id that is used twice stands for its first event, as in the channel's log.
    const found = this.connection.query<{ id: string }>(
      `select e.id from ${quoteName(this.settings.schema)}.event e
       where hashtextextended(e.own_id, 0) = hashtextextended($2, 0)
         and e.own_id = $2 and e.topic = $1 order by e.id limit 1`,
      [this.topic, text],
    );
    // An id that the database's encoding cannot hold is not in the database.
    const [row] = await found.catch((error: unknown) => {
      if (isDataRefusal(error)) {
        return [];
      }
      throw error;
    });
    return row && { timeline, id: Number(row.id) };
  }

  /** Reads a page; a row that the server cannot show is in it without its texts. */
  private async readablePage(after: number, settled: number, limit: number): Promise<Page> {
    try {
      return await this.page(after, settled, limit);
    } catch (error) {
      if (!isDataRefusal(error) || !(await this.isStorable())) {
        throw error;
      }
    }
    const rows = await this.connection.query<{ id: string }>(
      `select e.id from ${quoteName(this.settings.schema)}.event e
        where e.topic = $1 and e.id > $2 and e.id <= $3 order by e.id limit $4`,
      [this.topic, after, settled, limit],
    );
    const ids = rows.map(({ id }) => Number(id));
    const { page, unreadable } = await readAroundUnreadable(ids, after, (from, upTo) =>
      this.page(from, upTo, limit),
    );
    const found = unreadable ? [unreadableRow(unreadable)] : [];
    return { ...page, rows: [...page.rows, ...found], isCut: true };
  }

  private async page(after: number, settled: number, limit: number): Promise<Page> {
    const s = quoteName(this.settings.schema);
    // One statement, so that the rows and the head are of the same moment.
    const found = await this.connection.query<LargeRow & { id: string | null }>(
      `(select ${largeRowColumns(limit)} from ${s}.event e
        where e.topic = $1 and e.id > $2 and e.id <= $3 order by e.id limit $4)
      union all
      select null, null, concat_ws(' ', timeline, last, floor,
        (select e.done::integer from ${s}.event e where e.id = $2 and e.topic = $1)),
        null, null, null, null from ${s}.head()`,
      [this.topic, after, settled, limit],
    );
    const head = headOf(found.find(({ id }) => id === null)!.data!);
    const page = await withLargeData(
      found.filter(({ id }) => id !== null),
      this.topics.eventSize,
      // Another server may have taken this one's place, and given the same ids to other events.
      (ids) =>
        this.connection.query(`${largeDataSql(s)} and (select ${s}.timeline()) = $2`, [
          ids,
          head.timeline,
        ]),
    );
    return { ...page, head };
  }
}
