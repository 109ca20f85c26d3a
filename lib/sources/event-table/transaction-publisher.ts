import type { OnceKey, SentOnce } from '../../channel/once.js';
import type { OutgoingEvent } from '../../channel/source.js';
import type { PgQueryable } from '../postgres/pg-types.js';
import type { EventInserts } from './event-inserts.js';
import { checkForTable } from './event-refusal.js';
import type { TableSettings } from './event-table-error.js';
import { checkTransaction, refusedWithin } from './transaction-client.js';
import { whenInstalled } from './when-installed.js';

/** Writes events within transactions of the application. Nobody sees them before the commit. */
export class TransactionPublisher {
  constructor(
    private readonly inserts: EventInserts,
    private readonly settings: TableSettings,
    private readonly installed: Promise<unknown> | undefined,
  ) {}

  /**
   * Writes an event within the transaction of a client. Resolves once it is written; nobody sees
   * it before the commit.
   *
   * @throws SseError `INVALID_OPTION` for what is not a client, `INVALID_EVENT`, `UNAVAILABLE`,
   * `TRANSACTION_FAILED`; and the client's own error when the transaction must run again
   */
  publish(transaction: unknown, topic: string, event: OutgoingEvent): Promise<string> {
    return this.within(transaction, event, (client) =>
      this.inserts.insertWith(client, { topic, event }),
    );
  }

  /** Writes an event with an idempotency key, as `publish()` does. @throws as `publish()` */
  publishOnce(
    transaction: unknown,
    topic: string,
    event: OutgoingEvent,
    once: OnceKey,
  ): Promise<SentOnce> {
    return this.within(transaction, event, (client) =>
      this.inserts.insertOnceWith(client, { topic, event }, once),
    );
  }

  private async within<T>(
    transaction: unknown,
    event: OutgoingEvent,
    insert: (client: PgQueryable) => Promise<T>,
  ): Promise<T> {
    checkForTable(event);
    checkTransaction(transaction);
    await whenInstalled(this.installed);
    try {
      return await insert(transaction);
    } catch (error) {
      throw refusedWithin(error, this.settings);
    }
  }
}
