import { appendOrSkip, tooLarge } from '../../channel/event-check.js';
import { LimitedLog } from '../../channel/limited-log.js';
import type { ChannelSink, HistoryEvent, ResetReason, SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { failureText } from '../postgres/postgres-error.js';
import type { LargeRow } from './large-data.js';

/** With more topics than this, the reader fetches the data of all events: the list would cost more. */
const MOST_LISTED = 256;

/** The open channels of this process, by topic. */
export class Topics {
  private readonly sinks = new Map<string, Set<ChannelSink>>();
  private readonly log: LimitedLog;
  private wanted: readonly string[] | undefined = [];
  /** The topics that the database's encoding cannot hold: they have no events. */
  private readonly refused = new Set<string>();

  /** @param eventSize the most bytes that the data of an event may have */
  constructor(
    logger: SseLogger,
    readonly eventSize: number,
  ) {
    this.log = new LimitedLog(logger);
  }

  /** The topics whose data is wanted; `undefined` for all. */
  get listed(): readonly string[] | undefined {
    return this.wanted;
  }

  has(topic: string): boolean {
    return this.sinks.has(topic);
  }

  /** Notes that the server has refused a topic, as its encoding lacks a character of the name. */
  refuse(topic: string, reason: unknown): void {
    this.refused.add(topic);
    this.list();
    this.log.error(
      `Postgres event table: the channel ${JSON.stringify(topic)} has no events, as the database cannot hold its name: ${failureText(reason)}. Use a database with the encoding UTF8, or another name.`,
    );
  }

  isRefused(topic: string): boolean {
    return this.refused.has(topic);
  }

  /** Forgets which topics were refused: the database may be another one now. */
  admitAll(): void {
    this.refused.clear();
    this.list();
  }

  /** Returns a function that removes the sink. */
  add(topic: string, sink: ChannelSink): () => void {
    const sinks = this.sinks.get(topic) ?? new Set();
    this.sinks.set(topic, sinks.add(sink));
    this.list();
    return () => {
      sinks.delete(sink);
      if (sinks.size === 0 && this.sinks.get(topic) === sinks) {
        this.sinks.delete(topic);
        this.refused.delete(topic);
        this.list();
      }
    };
  }

  append(topic: string, event: HistoryEvent): void {
    for (const sink of this.sinks.get(topic) ?? []) {
      appendOrSkip(sink, event, (reason) => this.leftOut(topic, event.position, reason));
    }
  }

  /** Announces an event that was not fetched, as it is too large or unreadable. */
  skip(topic: string, position: string, row: LargeRow): void {
    for (const sink of this.sinks.get(topic) ?? []) {
      this.reportSkipped(topic, position, row);
      sink.reset('skipped-event', position);
    }
  }

  reportSkipped(topic: string, position: string, { size, unreadable }: LargeRow): void {
    const reason =
      unreadable === undefined ? tooLarge(size!, this.eventSize) : unreadableText(unreadable);
    this.leftOut(topic, position, reason);
  }

  live(position: string): void {
    this.each((sink) => sink.live(position));
  }

  reset(reason: ResetReason, position: string): void {
    this.each((sink) => sink.reset(reason, position));
  }

  private leftOut(topic: string, position: string, { message }: SseError): void {
    this.log.warn(
      `Postgres event table: the event ${position} of the channel "${topic}" cannot be sent: ${message} Its clients receive sse:reset.`,
    );
  }

  private each(tell: (sink: ChannelSink) => void): void {
    for (const sinks of this.sinks.values()) {
      sinks.forEach(tell);
    }
  }

  private list(): void {
    this.wanted =
      this.sinks.size > MOST_LISTED
        ? undefined
        : [...this.sinks.keys()].filter((topic) => !this.refused.has(topic));
  }
}

function unreadableText(reason: string): SseError {
  return new SseError(
    'INVALID_EVENT',
    `Postgres cannot convert a text of the row to UTF-8: ${reason}. Correct the row or delete it.`,
  );
}
