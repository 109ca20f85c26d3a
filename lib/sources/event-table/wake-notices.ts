import type { PostgresConnection } from '../postgres/postgres-connection.js';

/** One notification in this time wakes other instances, in milliseconds. */
const NOTIFY_INTERVAL_MS = 10;

/** The payload of a notification that seats have changed. */
export const SEATS_CHANGED = 'seats';
/** The payload of a notification that runs have other chunks. */
export const RUNS_CHANGED = 'runs';

/** Wakes other instances, outside of any transaction: commits that notify wait for each other. */
export class WakeNotices {
  private timer: NodeJS.Timeout | undefined;
  /** What the next notification tells; empty: that there are events. */
  private payload = '';
  private isStopped = false;

  constructor(
    private readonly connection: PostgresConnection,
    private readonly schema: string,
  ) {}

  /** Notifies soon, and once for all calls until then. */
  send(payload = ''): void {
    if (this.isStopped) {
      return;
    }
    this.payload ||= payload;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const told = this.payload;
      this.payload = '';
      // If this fails, they find out by themselves a moment later.
      this.connection.query('select pg_notify($1, $2)', [this.schema, told]).catch(() => undefined);
    }, NOTIFY_INTERVAL_MS);
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }
}
