import { LimitedLog } from '../../channel/limited-log.js';
import type {
  PresenceCounts,
  PresencePage,
  PresenceSeat,
  PresenceSink,
  PresenceStore,
} from '../../channel/presence.js';
import type { SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { failureText, isDataRefusal } from '../postgres/postgres-error.js';
import { tableError, type TableSettings } from './event-table-error.js';
import { PresenceMarks } from './presence-marks.js';
import type { PresenceStatements } from './presence-statements.js';
import { TableBeats } from './table-beats.js';

interface PresenceServices {
  readonly statements: PresenceStatements;
  readonly settings: TableSettings & { readonly pollInterval: number };
  readonly logger: SseLogger;
  /** Tells all instances that seats have changed, and that there may be events. */
  readonly notify: () => void;
}

/**
 * Keeps who is present beside the event table: one statement puts many seats, and appends the events that
 * tell of joins and leaves in the same transaction.
 */
export class TablePresence implements PresenceStore {
  private readonly statements: PresenceStatements;
  private readonly beats: TableBeats;
  private readonly marks: PresenceMarks;
  private readonly log: LimitedLog;
  /** The first revisions of calls that are under way, or that were rejected and come again. */
  private readonly open = new Set<number>();
  private readonly rejected = new Set<number>();
  private newest = 0;
  private isClosed = false;

  constructor(
    private readonly services: PresenceServices,
    private readonly sink: PresenceSink,
    timeout: number,
  ) {
    const { statements, settings, logger } = services;
    this.statements = statements;
    this.log = new LimitedLog(logger);
    this.marks = new PresenceMarks((channels) => statements.marks(channels), settings.pollInterval);
    this.beats = new TableBeats(statements, settings, timeout, this, logger);
  }

  /** Begins to show that this instance lives. */
  start(): void {
    this.beats.start();
  }

  async put(seats: readonly PresenceSeat[]): Promise<void> {
    if (seats.length === 0) {
      return;
    }
    const revisions = seats.map(({ revision }) => revision);
    const first = Math.min(...revisions);
    this.open.add(first);
    this.newest = Math.max(this.newest, ...revisions);
    try {
      await this.putAll(seats, this.rejected.has(first));
      this.rejected.delete(first);
    } catch (error) {
      const reason = tableError(error, this.services.settings);
      if (reason instanceof SseError && reason.code === 'UNAVAILABLE') {
        // The seats come again, and must not count as settled until then.
        this.rejected.add(first);
      }
      throw reason;
    } finally {
      if (!this.rejected.has(first)) {
        this.open.delete(first);
      }
    }
  }

  list(channel: string, after: string | undefined, limit: number): Promise<PresencePage> {
    const none = { members: [], connections: 0 };
    return this.asked(this.statements.list(channel, after, limit), none);
  }

  count(channel: string): Promise<PresenceCounts> {
    return this.asked(this.statements.count(channel), { members: 0, connections: 0 });
  }

  watch(channel: string, onChange: () => void): () => void {
    return this.marks.add(channel, onChange);
  }

  /** Seats have changed on some instance. */
  changed(): void {
    this.marks.wake();
  }

  async close(leaveAfter: number): Promise<void> {
    this.stop();
    await this.beats.end(leaveAfter);
  }

  /** Stops at once, when the application does not start, and after `close()`. */
  stop(): void {
    this.isClosed = true;
    this.beats.stop();
    this.marks.stop();
  }

  lost(): void {
    if (!this.isClosed) {
      this.sink.lost();
    }
  }

  removed(vacated: readonly string[]): void {
    this.services.notify();
    if (!this.isClosed) {
      vacated.forEach((channel) => this.sink.vacated(channel));
    }
  }

  get settled(): number {
    return this.open.size === 0 ? this.newest : Math.min(...this.open) - 1;
  }

  get isCalm(): boolean {
    return this.open.size === 0;
  }

  private async putAll(seats: readonly PresenceSeat[], isRepeated: boolean): Promise<void> {
    let outcomes: readonly string[] | undefined;
    while (!outcomes) {
      const instance = await this.beats.known();
      try {
        outcomes = await this.statements.put(instance, this.beats.former, seats);
      } catch (error) {
        if (!isDataRefusal(error)) {
          throw error;
        }
        return this.putApart(seats, isRepeated, error);
      }
      if (!outcomes) {
        this.beats.distrust(instance);
      }
    }
    this.services.notify();
    seats.forEach((seat, nth) => this.tell(seat.channel, outcomes[nth]!, isRepeated));
  }

  /** The database cannot hold one of the seats, such as a channel with a character that LATIN1 lacks. */
  private async putApart(
    seats: readonly PresenceSeat[],
    isRepeated: boolean,
    refusal: unknown,
  ): Promise<void> {
    if (seats.length === 1) {
      this.log.error(
        `Postgres event table: who is present in the channel ${JSON.stringify(seats[0]!.channel)} ` +
          `cannot be kept: ${failureText(refusal)}.`,
      );
      return;
    }
    const half = seats.length >> 1;
    await this.putAll(seats.slice(0, half), isRepeated);
    await this.putAll(seats.slice(half), isRepeated);
  }

  /** @param outcome in capitals when an earlier call has made the change */
  private tell(channel: string, outcome: string, isRepeated: boolean): void {
    const news = isRepeated ? outcome.toLowerCase() : outcome;
    if (this.isClosed) {
      return;
    }
    if (news === 'o') {
      this.sink.occupied(channel);
    } else if (news === 'v') {
      this.sink.vacated(channel);
    }
  }

  /** @param none the answer for a channel whose name the database cannot hold */
  private async asked<T>(answer: Promise<T>, none: T): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (isDataRefusal(error)) {
        return none;
      }
      throw tableError(error, this.services.settings);
    }
  }
}
