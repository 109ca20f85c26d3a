import type { SseLogger } from '../../channel/source.js';
import type { SystemHealth } from '../../channel/system-health.js';
import { failureText } from '../postgres/postgres-error.js';
import type { PgConfig } from '../postgres/postgres.options.js';
import type { Session } from '../postgres/session.js';
import { SessionKeeper, type SessionProgress } from '../postgres/session-keeper.js';
import { tableError } from './event-table-error.js';
import type { EventTableSettings } from './event-table.options.js';
import { Fence } from './fence.js';
import { ensureInstalled } from './install.js';
import { formatPosition, type Position } from './position.js';
import { ReaderStatements } from './reader-statements.js';
import { TableReading } from './table-reading.js';
import type { Topics } from './topics.js';
import { Wake } from './wake.js';
import { RUNS_CHANGED, SEATS_CHANGED } from './wake-notices.js';

/** What is read ahead of all events. */
interface ReadAheadOfEvents {
  /** The session is over. */
  behind(): void;
  catchUp(session: Session, position: Position): Promise<void>;
}

/** Another user of the reader's session. */
export interface IdleSessionUser {
  /** Called while there is nothing to read. */
  readerIsIdle(session: Session): Promise<void>;
  /** Called when the session is over. */
  readerIsAway(): void;
}

/**
 * Reads the event table, once for all channels of this process: every committed event, in the
 * order of the ids, which is the same for every reader of the table.
 */
export class EventReader {
  private readonly statements: ReaderStatements;
  private readonly rest: Wake;
  private readonly fence: Fence;
  private readonly reading: TableReading;
  private readonly keeper: SessionKeeper;
  /** The commands to all instances, if anybody wants them. */
  control: ReadAheadOfEvents | undefined;
  /** Is told of seats that have changed, if anybody wants to know. */
  presence: { changed(): void } | undefined;
  /** Is told of chunks of runs, if anybody wants to know. */
  runs: { changed(): void } | undefined;

  constructor(
    config: PgConfig,
    private readonly settings: EventTableSettings,
    topics: Topics,
    private readonly logger: SseLogger,
    private readonly duties: () => IdleSessionUser,
  ) {
    this.statements = new ReaderStatements(settings.schema, topics.eventSize);
    this.rest = new Wake(settings.pollInterval);
    this.fence = new Fence(settings.schema, logger);
    this.reading = new TableReading(this.statements, topics, this.fence, logger, this.wake);
    const use = {
      purpose: 'event table',
      serve: (session: Session, progress: SessionProgress) => this.follow(session, progress),
      ended: () => {
        this.control?.behind();
        this.duties().readerIsAway();
      },
      outageText: (reason: unknown) =>
        `Postgres event table: ${failureText(tableError(reason, settings))} We retry until it works; no event is lost.`,
      recoveryText: ({ target }: Session) =>
        `Postgres event table: read again at ${target}, from ${formatPosition(this.position!)}.`,
    } as const;
    this.keeper = new SessionKeeper(config, use, logger);
  }

  /** Every event up to here has been appended; `undefined` until the reader has found its start. */
  get position(): Position | undefined {
    return this.reading.position;
  }

  /** How many ids were given out and not read, at the last look. */
  get backlog(): number {
    return this.reading.backlog;
  }

  get isOutage(): boolean {
    return this.keeper.isOutage;
  }

  get health(): SystemHealth {
    return this.keeper.health;
  }

  /** The writers that have delayed delivery for long, if any. */
  get stuck(): Fence['stuck'] {
    return this.fence.stuck;
  }

  /** Resolves once the table is there, or the first attempt to read it has failed. */
  get firstAttempt(): Promise<unknown> {
    return this.keeper.firstAttempt;
  }

  /** Makes the reader look at the table, where there may be new events. */
  readonly wake = (): void => this.rest.now();

  /** @throws SseError `UNAVAILABLE` with `failFast`, when the table cannot be read. */
  async start(failFast: boolean): Promise<void> {
    if (!failFast) {
      this.keeper.begin();
      return;
    }
    await this.keeper.start().catch((error: unknown) => {
      throw tableError(error, this.settings);
    });
  }

  stop(): Promise<void> {
    return this.keeper.stop();
  }

  /** Reads for as long as the session lasts. */
  private async follow(session: Session, { ready, works }: SessionProgress): Promise<never> {
    session.onNotification = (_, payload) => {
      if (payload === RUNS_CHANGED) {
        this.runs?.changed();
        return;
      }
      this.wake();
      if (payload === SEATS_CHANGED) {
        this.presence?.changed();
      }
    };
    session.signal.addEventListener('abort', this.wake);
    await ensureInstalled(session, this.settings, this.logger);
    if (this.settings.listen) {
      session.refusePooler(', or eventTable: { listen: false } to look at intervals');
      await this.statements.listen(session);
    }
    await this.statements.prepare(session);
    ready();
    await this.reading.begin(session);
    await this.control?.catchUp(session, this.position!);
    works();
    for (;;) {
      session.signal.throwIfAborted();
      this.rest.clear();
      const { id } = this.position!;
      const hasMore = await this.reading.advance(session);
      if (this.position!.id > id) {
        this.rest.hurry(this.position!.id - id);
      }
      if (!hasMore) {
        await this.duties().readerIsIdle(session);
        await this.rest.rest();
      }
    }
  }
}
