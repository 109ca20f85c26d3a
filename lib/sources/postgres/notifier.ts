import { SseError } from '../../channel/sse-error.js';
import { checkChannel } from './identifier.js';
import type { PostgresConnection } from './postgres-connection.js';
import { failureText, isDataRefusal, isRefusal } from './postgres-error.js';

/** The server takes payloads shorter than this. Bytes. */
const PAYLOAD_LIMIT = 8_000;

/** Sends notifications by `pg_notify()`, in the order of the calls. */
export class Notifier {
  private last: Promise<unknown> = Promise.resolve();
  /** The last failure to reach the server, and how many there were. */
  private outage: { readonly count: number; readonly error: unknown } = {
    count: 0,
    error: undefined,
  };

  constructor(private readonly connection: PostgresConnection) {}

  /**
   * Notifies a channel. Resolves when the server has taken the notification.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_EVENT` for a payload with NUL or with a character that
   *   the database's encoding lacks, `EVENT_TOO_LARGE` from 8,000 bytes on, `UNAVAILABLE` when the server cannot be reached.
   */
  async notify(channel: string, payload: string): Promise<void> {
    checkChannel(channel);
    if (typeof payload !== 'string' || payload.includes('\0')) {
      throw new SseError(
        'INVALID_EVENT',
        `The payload for Postgres channel ${JSON.stringify(channel)} is no string, or has NUL. Give a string without NUL: Postgres can send nothing else.`,
      );
    }
    const bytes = Buffer.byteLength(payload);
    if (bytes >= PAYLOAD_LIMIT) {
      throw new SseError(
        'EVENT_TOO_LARGE',
        `The payload for Postgres channel ${JSON.stringify(channel)} has ${bytes} bytes; Postgres takes fewer than ${PAYLOAD_LIMIT}. Send a key and let readers fetch the rest, or use the event table.`,
      );
    }
    const outages = this.outage.count;
    // One at a time: two connections of the pool would not keep the order of the calls.
    const sent = this.last.then(() => this.send(channel, payload, outages));
    this.last = sent.catch(() => undefined);
    await sent;
  }

  private async send(channel: string, payload: string, outages: number): Promise<void> {
    if (this.outage.count !== outages) {
      // Calls that waited behind a failure fail with it. If each waited for its own time limit, the
      // queue would grow without end while the server is silent.
      throw this.outage.error;
    }
    try {
      await this.connection.query('select pg_notify($1, $2)', [channel, payload]);
    } catch (error) {
      if (error instanceof SseError && error.code === 'UNAVAILABLE') {
        this.outage = { count: outages + 1, error };
      }
      throw refusal(error, channel);
    }
  }
}

/** Turns a refusal of the server into an `SseError`; other errors stay what they are. */
function refusal(cause: unknown, channel: string): unknown {
  if (cause instanceof SseError || !isRefusal(cause)) {
    return cause;
  }
  const what = `Postgres refused the notification of channel ${JSON.stringify(channel)}`;
  return isDataRefusal(cause)
    ? new SseError(
        'INVALID_EVENT',
        `${what}: ${failureText(cause)}. Leave out characters that the database's encoding lacks, or use a database in UTF8.`,
        { cause },
      )
    : new SseError('UNAVAILABLE', `${what}: ${failureText(cause)}.`, { cause });
}
