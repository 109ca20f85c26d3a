import pg from 'pg';
import type { ChannelSink, ResetReason, SourceEvent, SseLogger } from '../../lib/channel/source.js';
import { Notifier } from '../../lib/sources/postgres/notifier.js';
import {
  ListenSource,
  type ListenSourceOptions,
} from '../../lib/sources/postgres/listen-source.js';
import { PostgresConnection } from '../../lib/sources/postgres/postgres-connection.js';
import type { PostgresOption } from '../../lib/sources/postgres/postgres.options.js';

/** Writes down what a source does with its channel. */
export class RecordingSink implements ChannelSink {
  /** Everything, in order: `live`, `reset:<reason>`, or the data of an event. */
  readonly calls: string[] = [];
  readonly events: SourceEvent[] = [];

  get data(): string[] {
    return this.events.map((event) => event.data);
  }

  get resets(): number {
    return this.calls.filter((call) => call.startsWith('reset:')).length;
  }

  get isLive(): boolean {
    return this.calls.includes('live');
  }

  live(): void {
    this.calls.push('live');
  }

  append(event: SourceEvent): string {
    this.calls.push(event.data);
    this.events.push(event);
    return String(this.events.length);
  }

  reset(reason: ResetReason): void {
    this.calls.push(`reset:${reason}`);
  }
}

/** Writes down what a source reports. */
export class RecordingLogger implements SseLogger {
  readonly logs: string[] = [];
  readonly warnings: string[] = [];
  readonly errors: string[] = [];

  log(message: string): void {
    this.logs.push(message);
  }

  warn(message: string): void {
    this.warnings.push(message);
  }

  error(message: string): void {
    this.errors.push(message);
  }
}

/** A source under test, and what belongs to it. */
export interface Listening {
  readonly source: ListenSource;
  readonly notify: Notifier['notify'];
  readonly connection: PostgresConnection;
  readonly logger: RecordingLogger;
  stop(): Promise<void>;
}

/** Creates a source, with what it reports. */
export function listening(
  option: PostgresOption,
  options: ListenSourceOptions & { listenConnection?: PostgresOption } = {},
): Listening {
  const { listenConnection, ...rest } = options;
  const logger = new RecordingLogger();
  const connection = new PostgresConnection(option, listenConnection);
  const source = new ListenSource(connection, logger, rest);
  const notifier = new Notifier(connection);
  const stop = async () => {
    await source.stop();
    await connection.stop();
  };
  return { source, notify: (...call) => notifier.notify(...call), connection, logger, stop };
}

/** Runs statements on a connection of the test's own. */
export async function statements(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** The process ids of the listening connections of a database. */
export async function listeningBackends(client: pg.Client): Promise<number[]> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity
     where datname = current_database() and application_name like 'nestjs-sse-channels%'`,
  );
  return rows.map((row) => row.pid);
}
