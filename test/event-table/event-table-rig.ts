import pg from 'pg';
import { checkEvent } from '../../lib/channel/event-check.js';
import type { ChannelSink, ResetReason, SourceEvent } from '../../lib/channel/source.js';
import { EventTable } from '../../lib/sources/event-table/event-table.js';
import type { EventTableOptions } from '../../lib/sources/event-table/event-table.options.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import type { PostgresOption } from '../../lib/sources/postgres/postgres.options.js';
import { until } from '../support/until.js';
import { RecordingLogger } from '../postgres/listen-recording.js';

/** Writes down what the table's reader does with a channel; takes what a channel takes. */
export class EventSink implements ChannelSink {
  readonly events: SourceEvent[] = [];
  /** The data of events, and `reset:<reason>`, in order. */
  readonly calls: string[] = [];
  /** `reset:<reason>` and the position at which the stream goes on, in order. */
  readonly resets: string[] = [];
  start: string | undefined;

  get data(): string[] {
    return this.events.map(({ data }) => data);
  }

  get isLive(): boolean {
    return this.start !== undefined;
  }

  live(position?: string): void {
    this.start ??= position;
  }

  constructor(readonly eventSize = Infinity) {}

  append(event: SourceEvent): string {
    checkEvent(event, this);
    this.events.push(event);
    this.calls.push(event.data);
    return event.position ?? '';
  }

  reset(reason: ResetReason, position?: string): void {
    this.calls.push(`reset:${reason}`);
    this.resets.push(`${reason} ${position}`);
  }
}

/** One instance of an application, as far as the event table is concerned. */
export interface Instance {
  readonly table: EventTable;
  readonly connection: PostgresConnection;
  readonly logger: RecordingLogger;
  stop(): Promise<void>;
}

/** The table's options, and those of the module beside them. */
export interface InstanceOptions extends EventTableOptions {
  readonly listenConnection?: PostgresOption;
  /** Default: any size. */
  readonly eventSize?: number;
}

/** Creates an instance that is not started. */
export function createInstance(option: PostgresOption, options: InstanceOptions = {}): Instance {
  const { listenConnection, eventSize = Infinity, ...rest } = options;
  const logger = new RecordingLogger();
  const connection = new PostgresConnection(option, listenConnection);
  const table = new EventTable(connection, logger, rest, { eventSize });
  const instance: Instance = {
    table,
    connection,
    logger,
    async stop() {
      running.delete(instance);
      await table.stop();
      await connection.stop();
    },
  };
  running.add(instance);
  return instance;
}

const running = new Set<Instance>();
const clients = new Set<pg.Client>();

/** Starts an instance that installs the table if need be, and waits until it has found its start. */
export async function startInstance(
  option: PostgresOption,
  options: InstanceOptions = {},
): Promise<Instance> {
  const instance = createInstance(option, { install: true, ...options });
  await instance.table.start(true);
  await until(() => instance.table.stats.position);
  return instance;
}

/** Stops what a test has left running. For `afterEach`. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((instance) => instance.stop()));
  await Promise.all([...clients].map((client) => client.end().catch(() => undefined)));
  clients.clear();
}

/** Opens a channel and records it. */
export function record(
  { table }: Instance,
  channel: string,
  sink: EventSink = new EventSink(),
): EventSink {
  table.open(channel, sink);
  return sink;
}

/** A connection of the test's own, which `stopAll` ends. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  clients.add(client);
  return client;
}
