import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import { Outage } from '../../channel/outage.js';
import type { SseLogger } from '../../channel/source.js';
import { fine, healthBy, starting, type SystemHealth } from '../../channel/system-health.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import type { PgConfig } from './postgres.options.js';
import { Session, type SessionOptions } from './session.js';

/** The pauses between two attempts, in milliseconds. */
const RETRY_MS = { first: 200, most: 30_000 };

/** What is away while there is no session for a purpose. */
const SYSTEMS = { listen: 'listen', 'event table': 'event-table', waker: 'waker' } as const;

/** The purpose of a kept session. */
export interface SessionUse extends SessionOptions {
  readonly purpose: keyof typeof SYSTEMS;
  /** Uses a session until it is lost or closed, and rejects then. */
  serve(session: Session, progress: SessionProgress): Promise<never>;
  /** The session is over, or could not be opened. */
  ended?(): void;
  /**
   * The log line with which an outage begins; `undefined` for none yet.
   *
   * @param attempt how many attempts have failed since the last success, less one
   */
  outageText(reason: unknown, attempt: number): string | undefined;
  /** The log line with which an outage ends. */
  recoveryText(session: Session): string;
}

/** The calls by which the user of a session reports to its keeper, and the keeper's signal. */
export interface SessionProgress {
  /** Is aborted when the session is no longer wanted. */
  readonly signal: AbortSignal;
  /** The session can be used: the first attempt has succeeded. */
  ready(): void;
  /** The session serves its purpose: an outage is over, and pauses begin anew. Implies `ready()`. */
  works(): void;
}

/** Keeps one session open: after each loss another one, for ever, with growing pauses. */
export class SessionKeeper {
  /** Resolves with `undefined` once a session is ready, or with why the first attempt failed. */
  readonly firstAttempt: Promise<unknown>;
  private decide!: (error: unknown) => void;
  private readonly outage: Outage;
  /** Set for ever by `stop()`. */
  isStopped = false;
  /** Whether `start()` waits for the first attempt: its caller gets the error, so none is logged. */
  private isStarting = false;
  private abort: AbortController | undefined;
  private begunAt = 0;
  private hasWorked = false;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly config: PgConfig,
    private readonly use: SessionUse,
    logger: SseLogger,
  ) {
    this.outage = new Outage(logger, SYSTEMS[use.purpose]);
    this.firstAttempt = new Promise((resolve) => (this.decide = resolve));
  }

  /** Whether the system cannot be used at the moment, and that has been logged. */
  get isOutage(): boolean {
    return this.outage.lasts;
  }

  /** How the system is to which the sessions lead. */
  get health(): SystemHealth {
    if (this.abort?.signal.aborted !== false) {
      return fine('idle');
    }
    return healthBy(this.outage, this.hasWorked ? fine('up') : starting(this.begunAt));
  }

  /** Opens a session, unless one is kept; after `end()` a new one once the last is closed. */
  begin(): void {
    if (!this.isStopped && this.abort?.signal.aborted !== false) {
      const { signal } = (this.abort = new AbortController());
      this.begunAt = monotonicNow();
      this.running = this.running.then(() => this.keep(signal));
    }
  }

  /**
   * Begins, and waits for the first attempt.
   *
   * @throws why it failed; nothing is tried again then
   */
  async start(): Promise<void> {
    this.isStarting = true;
    this.begin();
    const error = await this.firstAttempt;
    this.isStarting = false;
    if (error !== undefined) {
      await this.stop();
      throw error;
    }
  }

  /** Closes the session, and ends every attempt to have one. */
  end(): void {
    this.abort?.abort();
  }

  /** Ends for ever. Resolves once the session is closed. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.end();
    await this.running;
    this.decide(shuttingDown());
  }

  private async keep(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted;) {
      const reason = await this.serve(signal, () => (attempt = 0)).catch((error: unknown) => error);
      this.use.ended?.();
      if (signal.aborted) {
        return;
      }
      if (this.isStarting) {
        return this.decide(reason);
      }
      const text = this.use.outageText(reason, attempt);
      if (text !== undefined) {
        this.outage.begin(text);
      }
      this.decide(reason);
      await sleep(backoff(attempt++, RETRY_MS), undefined, { signal }).catch(() => undefined);
    }
  }

  private async serve(signal: AbortSignal, succeeded: () => void): Promise<never> {
    const session = await Session.open(this.config, this.use, signal);
    const close = (): void => void session.close();
    signal.addEventListener('abort', close);
    const ready = (): void => {
      this.isStarting = false;
      this.decide(undefined);
    };
    const works = (): void => {
      ready();
      succeeded();
      this.hasWorked = true;
      this.outage.end(this.use.recoveryText(session));
    };
    try {
      return await this.use.serve(session, { signal, ready, works });
    } catch (error) {
      // An aborted sleep does not tell why the session is over.
      throw (error as Error).name === 'AbortError' ? session.signal.reason : error;
    } finally {
      signal.removeEventListener('abort', close);
      await session.close();
    }
  }
}
