import { monotonicNow } from '../../channel/clock.js';
import type { SseLogger } from '../../channel/source.js';
import { quoteName } from '../postgres/identifier.js';
import { OWN_LIMITS } from '../postgres/own-client.js';
import { codeOf, failureText } from '../postgres/postgres-error.js';
import type { Session } from '../postgres/session.js';
import { isMissing, tableError } from './event-table-error.js';
import { SCHEMA_VERSION } from './event-table-sql.js';
import type { EventTableSettings } from './event-table.options.js';
import { installedVersion } from './install.js';
import { Partitions, type Partition } from './partitions.js';

/** How many empty partitions we keep ready for the next events. */
const AHEAD = 3;
/** We close a partition early once it holds a quarter of the age or the bytes to keep. */
const PARTS = 4;
/**
 * How long a check waits for open writers before it leaves the rest to the next one, in
 * milliseconds.
 */
const DETACH_TIMEOUT_MS = 3_000;
/** The most chunks of runs, or idempotency keys, that one statement removes. */
const CLEANED_AT_ONCE = 5_000;
/** How long locks may stop the checks before we log it, in milliseconds. */
const BUSY_PATIENCE_MS = 60_000;

/** The size of the table on disk. */
export interface TableUsage {
  /** Attached partitions, empty ones among them. */
  readonly partitions: number;
  /** Bytes on disk, indexes included. */
  readonly bytes: number;
  /** When the oldest event was written, in milliseconds since the epoch. */
  readonly oldest: number | undefined;
}

/** Creates partitions ahead of the ids, and drops those that are too old or too many. */
export class Retention {
  /** The table's size at the last look. */
  usage: TableUsage | undefined;
  private readonly s: string;
  private readonly partitions: Partitions;
  private complaint = '';
  /** Since when checks have met locks, on the monotonic clock. */
  private busySince: number | undefined;
  private nextMeasure = -Infinity;

  constructor(
    private readonly settings: EventTableSettings,
    private readonly logger: SseLogger,
    /** The last id that the reader of this process has passed. */
    private readonly settled: () => number,
  ) {
    this.s = quoteName(settings.schema);
    this.partitions = new Partitions(settings.schema);
  }

  /** @throws Error when the session is lost; what the server refuses is logged. */
  async run(session: Session): Promise<void> {
    try {
      await this.extend(session);
      await this.close(session);
      for (const partition of this.expired(await this.partitions.read(session))) {
        await this.drop(session, partition);
      }
      this.summarise(await this.partitions.read(session));
      await this.clean(session);
      this.complaint = '';
      this.busySince = undefined;
    } catch (error) {
      if (session.isClosed) {
        throw error;
      }
      await this.refused(session, error);
    }
  }

  /**
   * Measures the table that another instance keeps in order, at the same intervals.
   *
   * @throws Error when the session is lost.
   */
  async measure(session: Session): Promise<void> {
    if (monotonicNow() < this.nextMeasure) {
      return;
    }
    this.nextMeasure = monotonicNow() + this.settings.retainInterval;
    try {
      this.summarise(await this.partitions.read(session));
    } catch (error) {
      if (session.isClosed) {
        throw error;
      }
      if (codeOf(error) === '42501') {
        // The size is for information only: it is not worth a line in the server's log at each
        // interval.
        this.nextMeasure = Infinity;
      }
    }
  }

  /** Removes runs and idempotency keys whose time is over, in transactions that are short. */
  private async clean(session: Session): Promise<void> {
    for (const remove of ['clean_runs', 'forget_keys']) {
      for (let hasMore = true; hasMore;) {
        const [row] = await session.query<{ more: boolean }>({
          text: `select ${this.s}.${remove}(${CLEANED_AT_ONCE}) as more`,
        });
        hasMore = row!.more;
      }
    }
  }

  private async extend(session: Session): Promise<void> {
    await session.query({
      text: `select ${this.s}.extend($1, ${AHEAD})`,
      values: [this.settings.partitionSize],
    });
  }

  /** Goes on in the next partition once the current one is large or old enough. */
  private async close(session: Session): Promise<void> {
    const { age, bytes } = this.settings.retain;
    const current = (await this.partitions.read(session)).find(
      ({ low, high, last }) => low <= last && last < high,
    );
    if (current?.oldestAge === undefined) {
      return;
    }
    if (current.bytes > bytes / PARTS || current.oldestAge > age / PARTS) {
      const [row] = await session.query<{ rolled: boolean }>({
        text: `select ${this.s}.roll() as rolled`,
      });
      if (row?.rolled === true) {
        await this.extend(session);
      }
    }
  }

  private expired(partitions: readonly Partition[]): readonly Partition[] {
    const { age, bytes } = this.settings.retain;
    // An open transaction may still hold events that nobody has read.
    const settled = this.settled();
    let total = partitions.reduce((sum, partition) => sum + partition.bytes, 0);
    return partitions.filter((partition) => {
      const isPast = partition.high <= Math.min(partition.last, settled) + 1;
      const isOld = partition.newestAge === undefined || partition.newestAge > age;
      if (!isPast || !(isOld || partition.pending || total > bytes)) {
        return false;
      }
      total -= partition.bytes;
      return true;
    });
  }

  /** Drops a partition, unless another instance has: several may apply the retention. */
  private async drop(session: Session, partition: Partition): Promise<void> {
    try {
      await this.dropNow(session, partition);
    } catch (error) {
      if (session.isClosed) {
        throw error;
      }
      const { name, pending } = partition;
      const found = (await this.partitions.read(session)).find((each) => each.name === name);
      // Another instance may be detaching it at this moment. The next check finds that done, or
      // finishes it.
      if (found && found.pending === pending) {
        throw error;
      }
    }
  }

  private async dropNow(session: Session, { name, pending }: Partition): Promise<void> {
    const table = `${this.s}.${quoteName(name)}`;
    const [server] = await session.query<{ version: number; owns: boolean }>({
      text: `select current_setting('server_version_num')::integer as version,
        pg_has_role(c.relowner, 'member') as owns from pg_class c where c.oid = $1::regclass`,
      values: [table],
    });
    if (server?.owns === true && server.version >= 140_000 && !session.isPooled) {
      // This waits for open writers and makes nobody wait. After too long a wait, the next check
      // finishes it.
      await session.query({
        text: `select set_config('statement_timeout', '${DETACH_TIMEOUT_MS}', false), set_config('lock_timeout', '0', false)`,
      });
      try {
        const how = pending ? 'finalize' : 'concurrently';
        await session.query({
          text: `alter table ${this.s}.event detach partition ${table} ${how}`,
        });
        await session.query({ text: `drop table ${table}` });
      } finally {
        // Not `reset`, which would bring the role's default back.
        const { statement_timeout: statement, lock_timeout: lock } = OWN_LIMITS;
        await session.query({
          text: `select set_config('statement_timeout', '${statement}', false), set_config('lock_timeout', '${lock}', false)`,
        });
      }
    } else {
      await session.query({ text: `select ${this.s}.drop_partition($1)`, values: [name] });
    }
  }

  private summarise(partitions: readonly Partition[]): void {
    this.usage = {
      partitions: partitions.length,
      bytes: partitions.reduce((sum, { bytes }) => sum + bytes, 0),
      oldest: partitions.find(({ oldest }) => oldest !== undefined)?.oldest,
    };
  }

  private async refused(session: Session, error: unknown): Promise<void> {
    if (BUSY.has(codeOf(error))) {
      // The next check may succeed. The reader names a transaction that holds a lock for long.
      this.busySince ??= monotonicNow();
      if (monotonicNow() - this.busySince < BUSY_PATIENCE_MS) {
        return;
      }
    }
    const what = failureText(await this.explained(session, error));
    // Each check meets the same fault again.
    if (this.complaint !== what) {
      this.complaint = what;
      this.logger.warn(`Postgres event table: the retention cannot be applied: ${what}`);
    }
  }

  /**
   * Something missing may be a partition, as these come and go. Without a version, it is the table.
   */
  private async explained(session: Session, error: unknown): Promise<unknown> {
    const isTheTable = isMissing(error)
      ? (await installedVersion(session, this.settings.schema)) < SCHEMA_VERSION
      : codeOf(error) === '42501';
    return isTheTable ? tableError(error, this.settings) : error;
  }
}

/** Refusals that pass: a lock or a statement took too long, or two instances waited for each other. */
const BUSY: ReadonlySet<unknown> = new Set(['55P03', '57014', '40P01']);
