import { appendOrSkip } from '../../channel/event-check.js';
import { LimitedLog } from '../../channel/limited-log.js';
import type { ChannelSink, HistoryEvent, ResetReason, SseLogger } from '../../channel/source.js';

/** With more topics than this, the data of all events is read: the list would cost more. */
const MOST_LISTED = 256;

/** The open channels of this process, by topic. */
export class Topics {
  readonly #sinks = new Map<string, Set<ChannelSink>>();
  readonly #log: LimitedLog;
  #listed: readonly string[] | undefined = [];

  constructor(logger: SseLogger) {
    this.#log = new LimitedLog(logger);
  }

  /** The topics whose data is wanted; `undefined` for all. */
  get listed(): readonly string[] | undefined {
    return this.#listed;
  }

  has(topic: string): boolean {
    return this.#sinks.has(topic);
  }

  /** Returns a function that removes the sink. */
  add(topic: string, sink: ChannelSink): () => void {
    const sinks = this.#sinks.get(topic) ?? new Set();
    this.#sinks.set(topic, sinks.add(sink));
    this.#list();
    return () => {
      sinks.delete(sink);
      if (sinks.size === 0 && this.#sinks.get(topic) === sinks) {
        this.#sinks.delete(topic);
        this.#list();
      }
    };
  }

  append(topic: string, event: HistoryEvent): void {
    for (const sink of this.#sinks.get(topic) ?? []) {
      appendOrSkip(sink, event, ({ message }) =>
        this.#log.warn(
          `Postgres event table: the event ${event.position} of the channel "${topic}" is left out, and clients are told: ${message}`,
        ),
      );
    }
  }

  live(position: string): void {
    this.#each((sink) => sink.live(position));
  }

  reset(reason: ResetReason, position: string): void {
    this.#each((sink) => sink.reset(reason, position));
  }

  #each(tell: (sink: ChannelSink) => void): void {
    for (const sinks of this.#sinks.values()) {
      sinks.forEach(tell);
    }
  }

  #list(): void {
    this.#listed = this.#sinks.size > MOST_LISTED ? undefined : [...this.#sinks.keys()];
  }
}
