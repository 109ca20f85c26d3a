import { settledWithin } from '../../channel/deadline.js';
import type { OnceKey, SentOnce } from '../../channel/once.js';
import type { OutgoingEvent } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { failureText, isRefusal } from '../postgres/postgres-error.js';
import type { PostgresConnection } from '../postgres/postgres-connection.js';
import { EventInserts, type TopicEvent } from './event-inserts.js';
import { checkForTable, isOfEvent, refusedEvent } from './event-refusal.js';
import { tableError, type TableSettings } from './event-table-error.js';
import { KeyHolders } from './key-holders.js';
import { TransactionPublisher } from './transaction-publisher.js';
import { SEATS_CHANGED, WakeNotices } from './wake-notices.js';
import { whenInstalled } from './when-installed.js';

/** The most events, and bytes of data, that one statement inserts. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 4_194_304;
/** The most events with idempotency keys: each takes one of the server's locks. */
const BATCH_KEYS = 100;
/** The most events, and bytes of data, that may wait for the server. */
const MOST_WAITING = 20_000;
const MOST_WAITING_BYTES = 134_217_728;
/** How long shutdown waits until the events that are left are written, in milliseconds. */
const STOP_TIMEOUT_MS = 2_000;

interface Waiting extends TopicEvent {
  readonly resolve: (sent: string | SentOnce | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes events to the table: those of a moment in one statement, in the order of the calls. */
export class EventPublisher {
  private readonly inserts: EventInserts;
  /** Writes events within transactions of the application. */
  readonly within: TransactionPublisher;
  private waiting: Waiting[] = [];
  private underWay: readonly Waiting[] = [];
  private waitingBytes = 0;
  private writing: Promise<void> | undefined;
  private readonly keyHolders = new KeyHolders();
  private readonly notices: WakeNotices;

  /**
   * @param installed resolves once the table is there, or the first attempt to read it has failed
   */
  constructor(
    connection: PostgresConnection,
    private readonly settings: TableSettings,
    private readonly onCommit: () => void,
    private readonly installed: Promise<unknown> | undefined,
  ) {
    this.inserts = new EventInserts(connection, settings.schema);
    this.notices = new WakeNotices(connection, settings.schema);
    this.within = new TransactionPublisher(this.inserts, settings, installed);
  }

  /**
   * Writes an event. Resolves with its id after the commit.
   *
   * @throws SseError `INVALID_EVENT`, `UNAVAILABLE`, `LIMIT_REACHED`
   */
  publish(topic: string, event: OutgoingEvent): Promise<string> {
    return this.enqueue<string>({ topic, event });
  }

  /** Writes an event with an idempotency key, as `publish()` does. @throws as `publish()` */
  publishOnce(topic: string, event: OutgoingEvent, once: OnceKey): Promise<SentOnce> {
    return this.keyHolders.waitFor(once.key, () =>
      this.enqueue<SentOnce | undefined>({ topic, event, once }),
    );
  }

  private enqueue<Sent>({ topic, event, once }: TopicEvent): Promise<Sent> {
    return new Promise((resolve, reject) => {
      checkForTable(event);
      if (this.waiting.length >= MOST_WAITING || this.waitingBytes > MOST_WAITING_BYTES) {
        throw new SseError(
          'LIMIT_REACHED',
          `${this.waiting.length} events wait for Postgres. Wait for the promises of send() before you send more.`,
        );
      }
      this.waiting.push({ topic, event, once, resolve: resolve as Waiting['resolve'], reject });
      this.waitingBytes += event.data.length;
      // The statement also takes the events that come later in this turn.
      this.writing ??= new Promise<void>((turn) => setImmediate(turn)).then(() => this.write());
    });
  }

  /**
   * Writes a command to all instances. Resolves after the commit.
   *
   * @throws SseError `UNAVAILABLE`, `INVALID_EVENT`
   */
  async command(text: string, isKept: boolean): Promise<void> {
    await whenInstalled(this.installed);
    try {
      await this.inserts.command(text, isKept);
    } catch (error) {
      throw this.reasonOf(error);
    }
    this.onCommit();
    this.notices.send();
  }

  /** Writes the events that wait. Those that the server does not take in time are given up. */
  async stop(): Promise<void> {
    this.keyHolders.stop();
    this.notices.stop();
    if (this.writing && !(await settledWithin(this.writing, STOP_TIMEOUT_MS))) {
      const reason = new SseError(
        'CLOSED',
        `The application is shutting down, and Postgres has not taken the event within ${STOP_TIMEOUT_MS} ms. We give it up; it may or may not be there.`,
      );
      this.underWay.forEach(({ reject }) => reject(reason));
      this.rejectWaiting(reason);
    }
  }

  private async write(): Promise<void> {
    await whenInstalled(this.installed);
    while (this.waiting.length > 0) {
      const batch = this.take();
      this.underWay = batch;
      await this.writeBatch(batch);
    }
    this.underWay = [];
    this.writing = undefined;
  }

  private async writeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const sent = batch.some(({ once }) => once)
        ? await this.inserts.insertOnce(batch)
        : await this.inserts.insert(batch);
      this.onCommit();
      this.notices.send();
      batch.forEach(({ once, resolve }, index) => {
        const outcome = sent[index];
        resolve(once || typeof outcome === 'string' ? outcome : outcome?.id);
      });
    } catch (error) {
      if (batch.length > 1 && isOfEvent(error)) {
        // One event of the statement cannot be held, such as a character that a LATIN1 database
        // lacks: the others are written, in their order.
        const half = batch.length >> 1;
        await this.writeBatch(batch.slice(0, half));
        await this.writeBatch(batch.slice(half));
        return;
      }
      const reason = this.reasonOf(error);
      batch.forEach(({ reject }) => reject(reason));
      if (reason instanceof SseError && reason.code === 'UNAVAILABLE') {
        // If each batch waited for its own time limit, callers would wait without end.
        this.rejectWaiting(reason);
      }
    }
  }

  private reasonOf(error: unknown): unknown {
    const reason = isOfEvent(error) ? refusedEvent(error) : tableError(error, this.settings);
    return isRefusal(reason) ? refusedBy(reason) : reason;
  }

  private take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    let keys = 0;
    while (
      count < this.waiting.length &&
      count < BATCH_EVENTS &&
      bytes < BATCH_BYTES &&
      keys < BATCH_KEYS
    ) {
      const { event, once } = this.waiting[count++]!;
      bytes += event.data.length;
      keys += once ? 1 : 0;
    }
    this.waitingBytes -= bytes;
    return this.waiting.splice(0, count);
  }

  private rejectWaiting(reason: SseError): void {
    const waiting = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    waiting.forEach(({ reject }) => reject(reason));
  }

  /** Tells all instances of seats that have changed, and of the events beside them. */
  notifyOfSeats(): void {
    this.onCommit();
    this.notices.send(SEATS_CHANGED);
  }
}

/** The error for an event that the server refused for another reason, such as a trigger of the application. */
function refusedBy(error: unknown): SseError {
  return new SseError('UNAVAILABLE', `Postgres refused the event: ${failureText(error)}.`, {
    cause: error,
  });
}
