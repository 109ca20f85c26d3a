import { backoff } from '../../channel/backoff.js';
import { Guard } from '../../channel/guard.js';
import { Outage } from '../../channel/outage.js';
import { SseError } from '../../channel/sse-error.js';
import type { Lifecycle, SseLogger } from '../../channel/source.js';
import { ListenSession, type ListenSessionTimes } from './listen-session.js';
import { loadPg } from './load-pg.js';
import { describe, unavailable } from './postgres-error.js';
import type { PgConfig } from './postgres.options.js';

/** The waits between two attempts to connect. */
const RETRY = { first: 200, most: 30_000 };

/** Somebody who wants to hear a channel. Its methods return at once. */
export interface ListenSubscriber {
  /** LISTEN is confirmed; every notification from here on is reported. */
  listening(): void;
  notified(payload: string): void;
  /** The connection is gone; notifications are missed until `listening()` is called again. */
  lost(): void;
}

/**
 * Keeps the one listening connection of an application instance alive, for ever, and
 * shares one LISTEN per channel among its subscribers.
 *
 * Connects for the first subscriber, and stays connected.
 */
export class PostgresListener implements Lifecycle {
  readonly #config: PgConfig;
  readonly #guard: Guard;
  readonly #outage: Outage;
  readonly #times: ListenSessionTimes;
  readonly #subscribers = new Map<string, Set<ListenSubscriber>>();
  #session: ListenSession | undefined;
  #running: Promise<void> | undefined;
  #attempt = 0;
  #stopped = false;
  #wake: (() => void) | undefined;
  #outcome: ((error: unknown) => void) | undefined;

  constructor(config: PgConfig, logger: SseLogger, times: ListenSessionTimes) {
    this.#config = config;
    this.#guard = new Guard(logger);
    this.#outage = new Outage(logger);
    this.#times = times;
  }

  /**
   * Subscribes to a channel whose name has been checked.
   *
   * @returns A function that ends the subscription; the last one ends LISTEN.
   * @throws SseError `CLOSED` after `stop()`.
   */
  listen(channel: string, subscriber: ListenSubscriber): () => void {
    if (this.#stopped) {
      throw new SseError(
        'CLOSED',
        `The application is shutting down; Postgres channel ${JSON.stringify(channel)} is not opened.`,
      );
    }
    const subscribers = this.#subscribers.get(channel) ?? new Set();
    this.#subscribers.set(channel, subscribers);
    subscribers.add(subscriber);
    if (this.#session?.isListening(channel) === true) {
      // Not within this call: the caller has nothing to be called on yet.
      queueMicrotask(() => {
        if (subscribers.has(subscriber) && this.#session?.isListening(channel) === true) {
          subscriber.listening();
        }
      });
    }
    this.#session?.change(channel);
    this.#begin();
    return () => {
      if (
        subscribers.delete(subscriber) &&
        subscribers.size === 0 &&
        this.#subscribers.get(channel) === subscribers
      ) {
        this.#subscribers.delete(channel);
        this.#session?.change(channel);
      }
    };
  }

  /**
   * @param failFast Connect now, and give up when that fails.
   * @throws SseError `UNAVAILABLE` with `failFast`; `MISSING_PEER` without `pg`, in any case.
   */
  async start(failFast: boolean): Promise<void> {
    await loadPg();
    if (!failFast || this.#session?.isOpen === true) {
      return;
    }
    const error = await new Promise<unknown>((resolve) => {
      this.#outcome = resolve;
      this.#begin();
    });
    if (error !== undefined) {
      await this.stop();
      throw unavailable(error, 'Postgres cannot be reached and "failFast" is set');
    }
  }

  /** Closes the connection and ends every attempt to have one. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#session?.close();
    await this.#running;
    this.#subscribers.clear();
  }

  #begin(): void {
    if (!this.#stopped) {
      this.#running ??= this.#run();
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const reason = await this.#hold().catch((error: unknown) => error);
      this.#session = undefined;
      if (this.#stopped) {
        break;
      }
      for (const channel of this.#subscribers.keys()) {
        this.#tell(channel, (subscriber) => subscriber.lost());
      }
      this.#outage.begin(
        `Postgres notifications: ${describe(reason)}. Trying again until it works; readers are told of the gap.`,
      );
      this.#decide(reason);
      if (!this.#stopped) {
        await this.#pause(backoff(this.#attempt++, RETRY));
      }
    }
    this.#decide(new SseError('CLOSED', 'The application is shutting down.'));
  }

  /** Opens one session and returns what ended it. */
  async #hold(): Promise<unknown> {
    const pg = await loadPg();
    if (this.#stopped) {
      return undefined;
    }
    const session = new ListenSession(
      pg,
      this.#config,
      {
        wanted: (channel) => this.#subscribers.has(channel),
        listening: (channel) => this.#tell(channel, (subscriber) => subscriber.listening()),
        notified: (channel, payload) =>
          this.#tell(channel, (subscriber) => subscriber.notified(payload)),
        refused: (channel, error) =>
          this.#guard.report(`LISTEN to Postgres channel ${JSON.stringify(channel)}`, error),
      },
      this.#times,
    );
    this.#session = session;
    await session.open(this.#subscribers.keys());
    this.#outage.end(`Postgres notifications: listening again at ${session.target}.`);
    // Not before LISTEN has worked: a server that accepts connections and refuses LISTEN is no success.
    this.#attempt = 0;
    this.#decide(undefined);
    return session.lost;
  }

  #tell(channel: string, tell: (subscriber: ListenSubscriber) => void): void {
    for (const subscriber of this.#subscribers.get(channel) ?? []) {
      try {
        tell(subscriber);
      } catch (error) {
        // The caller is the socket's data handler: an error there would end the process.
        this.#guard.report(`Postgres channel ${JSON.stringify(channel)}`, error);
      }
    }
  }

  #decide(error: unknown): void {
    const outcome = this.#outcome;
    this.#outcome = undefined;
    outcome?.(error);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
