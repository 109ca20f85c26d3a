import { Guard } from '../../channel/guard.js';
import type { Lifecycle, SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import type { SystemHealth } from '../../channel/system-health.js';
import { ListenChannels } from './listen-channels.js';
import { loadPg } from './load-pg.js';
import { failureText, unavailable } from './postgres-error.js';
import type { PgConfig } from './postgres.options.js';
import { SessionKeeper, type SessionProgress } from './session-keeper.js';
import type { Session } from './session.js';

/** Somebody who wants to hear a channel. Its methods return at once. */
export interface ListenSubscriber {
  /** LISTEN is confirmed; every notification from here on is reported. */
  listening(): void;
  notified(payload: string): void;
  /** The connection is gone; notifications are missed until `listening()` is called again. */
  lost(): void;
}

export interface ListenTimes {
  /** Between two health checks. */
  readonly healthInterval: number;
  /** How long the server may be silent before an answer, also while the connection is set up. */
  readonly timeout: number;
}

/**
 * Keeps the one listening connection of an application instance alive, for ever, and
 * shares one LISTEN per channel among its subscribers.
 *
 * Connects for the first subscriber, and stays connected.
 */
export class PostgresListener implements Lifecycle {
  private readonly guard: Guard;
  private readonly keeper: SessionKeeper;
  private readonly subscribers = new Map<string, Set<ListenSubscriber>>();
  /** The channels of the session that is open. */
  private channels: ListenChannels | undefined;

  constructor(
    config: PgConfig,
    logger: SseLogger,
    private readonly times: ListenTimes,
  ) {
    this.guard = new Guard(logger);
    const use = {
      purpose: 'listen',
      timeout: times.timeout,
      serve: (session: Session, progress: SessionProgress) => this.serve(session, progress),
      ended: () => this.lost(),
      outageText: (reason: unknown) =>
        `Postgres LISTEN fails: ${failureText(reason)}. We retry until it works, and tell clients of the gap.`,
      recoveryText: ({ target }: Session) => `Postgres LISTEN works again at ${target}.`,
    } as const;
    this.keeper = new SessionKeeper(config, use, logger);
  }

  /**
   * Subscribes to a channel whose name has been checked.
   *
   * @returns A function that ends the subscription; the last one ends LISTEN.
   * @throws SseError `CLOSED` after `stop()`.
   */
  listen(channel: string, subscriber: ListenSubscriber): () => void {
    if (this.keeper.isStopped) {
      throw new SseError(
        'CLOSED',
        `The application is shutting down and opens no Postgres channel ${JSON.stringify(channel)}.`,
      );
    }
    const subscribers = this.subscribers.get(channel) ?? new Set();
    this.subscribers.set(channel, subscribers);
    subscribers.add(subscriber);
    if (this.channels?.isListening(channel) === true) {
      // Not within this call: the caller has nothing to be called on yet.
      queueMicrotask(() => {
        if (subscribers.has(subscriber) && this.channels?.isListening(channel) === true) {
          subscriber.listening();
        }
      });
    }
    this.channels?.change(channel);
    this.keeper.begin();
    return () => {
      if (
        subscribers.delete(subscriber) &&
        subscribers.size === 0 &&
        this.subscribers.get(channel) === subscribers
      ) {
        this.subscribers.delete(channel);
        this.channels?.change(channel);
      }
    };
  }

  /** How Postgres is; `idle` until the first channel is wanted. */
  get health(): SystemHealth {
    return this.keeper.health;
  }

  /**
   * @param failFast Connect now, and give up when that fails.
   * @throws SseError `UNAVAILABLE` with `failFast`; `MISSING_PEER` without `pg`, in any case.
   */
  async start(failFast: boolean): Promise<void> {
    await loadPg();
    if (!failFast) {
      return;
    }
    await this.keeper.start().catch((error: unknown) => {
      throw unavailable(error, 'Postgres cannot be reached and "failFast" is set');
    });
  }

  /** Closes the connection and ends every attempt to have one. */
  async stop(): Promise<void> {
    await this.keeper.stop();
    this.subscribers.clear();
  }

  private serve(session: Session, { works }: SessionProgress): Promise<never> {
    session.onNotification = (channel, payload) =>
      this.tell(channel, (subscriber) => subscriber.notified(payload));
    const events = {
      wanted: (channel: string) => this.subscribers.has(channel),
      listening: (channel: string) => this.tell(channel, (subscriber) => subscriber.listening()),
      refused: (channel: string, error: unknown) =>
        this.guard.report(`LISTEN to Postgres channel ${JSON.stringify(channel)}`, error),
    };
    this.channels = new ListenChannels(session, events, this.times.healthInterval);
    return this.channels.serve(this.subscribers.keys(), works);
  }

  private lost(): void {
    this.channels = undefined;
    if (!this.keeper.isStopped) {
      for (const channel of this.subscribers.keys()) {
        this.tell(channel, (subscriber) => subscriber.lost());
      }
    }
  }

  private tell(channel: string, tell: (subscriber: ListenSubscriber) => void): void {
    for (const subscriber of this.subscribers.get(channel) ?? []) {
      try {
        tell(subscriber);
      } catch (error) {
        // The caller is the socket's data handler: an error there would end the process.
        this.guard.report(`Postgres channel ${JSON.stringify(channel)}`, error);
      }
    }
  }
}
