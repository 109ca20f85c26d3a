import { monotonicNow } from '../../channel/clock.js';
import type { ControlLog, ControlSink } from '../../channel/control.js';
import type { EventLimits } from '../../channel/event-check.js';
import type { OnceKey, SentOnce } from '../../channel/once.js';
import type { PresenceOptions, PresenceSink, PresenceStore } from '../../channel/presence.js';
import type { RunStore } from '../../channel/runs.js';
import { ofKind } from '../../channel/source-kind.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  Lifecycle,
  OutgoingEvent,
  PublishOptions,
  SseLogger,
} from '../../channel/source.js';
import type { SystemHealth } from '../../channel/system-health.js';
import { readOptions } from '../options/option-table.js';
import type { PostgresConnection } from '../postgres/postgres-connection.js';
import { refuseReserved, TableControlLog } from './control-log.js';
import { Duties } from './duties.js';
import { EventHistory } from './event-history.js';
import { EventPublisher } from './event-publisher.js';
import { EventReader } from './event-reader.js';
import {
  EVENT_TABLE_OPTIONS,
  type EventTableOptions,
  type EventTableSettings,
} from './event-table.options.js';
import { formatPosition } from './position.js';
import { PresenceStatements } from './presence-statements.js';
import { ReadAhead } from './read-ahead.js';
import { Retention, type TableUsage } from './retention.js';
import { RunStatements } from './run-statements.js';
import { TablePresence } from './table-presence.js';
import { TableRuns } from './table-runs.js';
import { Topics } from './topics.js';
import { WakeNotices } from './wake-notices.js';

/** The state of the event table in this process; see `SseService.stats()`. */
export interface EventTableStats {
  /** Every event up to here has been delivered; unset until the reader has found its start. */
  readonly position: string | undefined;
  /** Whether the table cannot be read at the moment. */
  readonly outage: boolean;
  /** Whether this instance applies the retention and, if it may, wakes all others. */
  readonly elected: boolean;
  /** The open transaction that has delayed delivery for more than five seconds. */
  readonly stuck:
    | {
        /** For how long, in milliseconds. */
        readonly age: number;
        /** The processes of the server that run it; none for a prepared transaction. */
        readonly pids: readonly number[];
      }
    | undefined;
  /**
   * The table's size on disk when this instance last looked. It looks at the retention's interval.
   * Unset before the first look, and where the role may not ask.
   */
  readonly disk: TableUsage | undefined;
}

/**
 * Channels fed by the Postgres event table: a row that is committed by any program, in any
 * transaction, reaches every channel of its topic on every instance once, in one order.
 */
export class EventTable implements Broker, Lifecycle {
  private readonly settings: EventTableSettings;
  private readonly topics: Topics;
  private readonly reader: EventReader;
  private readonly publisher: EventPublisher;
  private readonly retention: Retention;
  private readonly duties: Duties;
  private presence: TablePresence | undefined;
  private runs: TableRuns | undefined;
  private isStarted = false;

  /**
   * @param limits data larger than `eventSize` becomes a reset, and is not fetched
   * @throws SseError `INVALID_OPTION`
   */
  constructor(
    private readonly connection: PostgresConnection,
    private readonly logger: SseLogger,
    options: EventTableOptions = {},
    limits: Pick<EventLimits, 'eventSize'> = { eventSize: Infinity },
  ) {
    ofKind('event-table', this);
    const settings = readOptions(EVENT_TABLE_OPTIONS, options, 'eventTable');
    const config = connection.listenConfig;
    this.settings = settings;
    this.topics = new Topics(logger, limits.eventSize);
    this.reader = new EventReader(config, settings, this.topics, logger, () => this.duties);
    this.retention = new Retention(settings, logger, () => this.reader.position?.id ?? 0);
    this.duties = new Duties(config, settings, this.retention, logger, this.reader.wake);
    this.publisher = new EventPublisher(
      connection,
      settings,
      this.reader.wake,
      settings.install ? this.reader.firstAttempt : undefined,
    );
  }

  /** @throws SseError `INVALID_CHANNEL` for a topic of the module's own */
  open(channel: string, sink: ChannelSink): ChannelFeed {
    refuseReserved(channel);
    const remove = this.topics.add(channel, sink);
    const { position } = this.reader;
    if (position) {
      sink.live(formatPosition(position));
    }
    const history = new ReadAhead(
      new EventHistory(
        this.connection,
        this.settings,
        channel,
        this.topics,
        () => this.reader.position,
      ),
    );
    return {
      history,
      close: () => {
        remove();
        history.close();
      },
    };
  }

  /**
   * Writes an event to the table; with `options.transaction`, within it.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_EVENT`, `INVALID_OPTION`, `UNAVAILABLE`,
   * `LIMIT_REACHED`, `TRANSACTION_FAILED`; see `EventPublisher`
   */
  publish(channel: string, event: OutgoingEvent, options: PublishOptions = {}): Promise<string> {
    refuseReserved(channel);
    return options.transaction === undefined
      ? this.publisher.publish(channel, event)
      : this.publisher.within.publish(options.transaction, channel, event);
  }

  /** @throws as `publish()` */
  async publishOnce(
    channel: string,
    event: OutgoingEvent,
    once: OnceKey,
    options: PublishOptions = {},
  ): Promise<SentOnce> {
    refuseReserved(channel);
    return options.transaction === undefined
      ? this.publisher.publishOnce(channel, event, once)
      : this.publisher.within.publishOnce(options.transaction, channel, event, once);
  }

  openControl(sink: ControlSink): ControlLog {
    const control = new TableControlLog(this.settings, this.publisher, this.topics, sink);
    this.reader.control = control;
    return control;
  }

  openPresence(sink: PresenceSink, { timeout }: PresenceOptions): PresenceStore {
    const { connection, settings, logger, publisher, reader } = this;
    const statements = new PresenceStatements(connection, settings, reader.firstAttempt);
    const notify = (): void => publisher.notifyOfSeats();
    const services = { statements, settings, logger, notify };
    const presence = (this.presence = new TablePresence(services, sink, timeout));
    reader.presence = presence;
    if (this.isStarted) {
      presence.start();
    }
    return presence;
  }

  openRuns(): RunStore {
    const { connection, settings, reader } = this;
    const statements = new RunStatements(connection, settings, reader.firstAttempt);
    const notices = new WakeNotices(connection, settings.schema);
    return (this.runs = reader.runs = new TableRuns(statements, notices, settings));
  }

  /** @throws SseError `UNAVAILABLE` with `failFast`, when the table cannot be read. */
  async start(failFast: boolean): Promise<void> {
    await this.reader.start(failFast);
    this.isStarted = true;
    this.presence?.start();
  }

  async stop(): Promise<void> {
    this.presence?.stop();
    await this.runs?.close();
    await this.publisher.stop();
    await this.reader.stop();
    await this.duties.stop();
  }

  get health(): SystemHealth {
    return this.reader.health;
  }

  /** How many ids were given out and not read, at the last look. */
  get backlog(): number {
    return this.reader.backlog;
  }

  get stats(): EventTableStats {
    const { position, isOutage, stuck } = this.reader;
    return {
      position: position && formatPosition(position),
      outage: isOutage,
      elected: this.duties.areOurs,
      stuck: stuck && {
        age: monotonicNow() - stuck.since,
        pids: stuck.writers.flatMap(({ pid }) => pid ?? []),
      },
      disk: this.retention.usage,
    };
  }
}
