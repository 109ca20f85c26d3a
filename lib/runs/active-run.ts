import { checkEvent, type EventLimits } from '../channel/event-check.js';
import type { NewRun, RunChunk } from '../channel/runs.js';
import { isObservable, type Observable } from 'rxjs';
import { GuardedSubscriber } from '../delivery/guarded-observable.js';
import { iterableStream } from '../delivery/iterable-stream.js';
import type { RunFailure, RunFormat } from './formats/run-format.js';
import { failedChunks, GENERAL_MESSAGE } from './last-chunks.js';
import { lostChunks, tellLost, type RunServices } from './run-services.js';
import type { RunTurns } from './run-turns.js';
import { RunWriter, type RunOwner } from './run-writer.js';
import { Intake } from './source/intake.js';
import { openSource, type RunSource } from './source/run-source.js';
import type { RunEndReason, SseRunEnd } from './sse-run.js';

/** What readers hear of the shutdown of a run's instance. */
export const SHUTDOWN: RunFailure = { reason: 'shutdown', message: 'The server was restarted.' };

/** How a run goes. */
export interface RunTerms {
  readonly format: RunFormat;
  readonly limits: EventLimits;
  readonly duration: number;
  readonly bytes: number;
  readonly errorMessage: ((error: unknown) => string) | undefined;
}

/** A run that this instance has begun: it reads the source, and ends with it, or before. */
export class ActiveRun implements RunOwner {
  readonly done: Promise<SseRunEnd>;
  private readonly abort = new AbortController();
  private readonly writer: RunWriter;
  private readonly what: string;
  private subscriber: GuardedSubscriber<unknown> | undefined;
  private leave: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private bytes = 0;
  /** How the run ends; set when its end is on the way to the store, or not needed there. */
  private outcome: { readonly reason: RunEndReason; readonly error?: unknown } | undefined;
  private resolveDone!: (end: SseRunEnd) => void;
  private begun: { resolve(): void; reject(error: unknown): void } | undefined;

  /** @param begunAt when the call that began the run was made, on the clock of `monotonicNow()` */
  constructor(
    readonly run: NewRun,
    begunAt: number,
    private readonly terms: RunTerms,
    private readonly services: RunServices,
    turns: RunTurns,
  ) {
    this.writer = new RunWriter(run, begunAt, this, services, turns);
    this.what = `The source of the run in the channel ${JSON.stringify(run.channel)}`;
    this.done = new Promise((resolve) => (this.resolveDone = resolve));
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /**
   * Reads the source. Resolves when it has emitted a value or ended.
   * @throws the source's error, if it comes before the first value; and what the store throws
   */
  async start(source: RunSource): Promise<void> {
    const { duration } = this.terms;
    try {
      this.leave = this.services.store.follow(this.run, this.hear);
    } catch (error) {
      this.failed({ reason: 'error', message: GENERAL_MESSAGE }, error);
      throw error;
    }
    if (duration > 0) {
      const message = 'This took too long.';
      this.timer = setTimeout(() => this.failed({ reason: 'limit', message }), duration).unref();
    }
    await new Promise<void>((resolve, reject) => {
      this.begun = { resolve, reject };
      void this.read(source);
    });
  }

  /** Ends the run, unless it is ending. Somebody else has ended it in the store. */
  stopped(): void {
    if (!this.outcome) {
      this.over('stopped');
    }
  }

  /** Ends the run because the application shuts down. */
  shutDown(): void {
    this.failed(SHUTDOWN);
  }

  endedByOthers(): void {
    this.over('stopped');
  }

  lost(): void {
    this.over('lost');
    const { run, services } = this;
    tellLost(run, services);
    // Where the store cannot be reached, somebody who can reach it ends the run.
    void services.store.end(run, lostChunks(run, services), false).catch(() => undefined);
  }

  finished(): void {
    this.settle();
  }

  private async read(source: RunSource): Promise<void> {
    const { guard } = this.services;
    const { format, limits } = this.terms;
    try {
      const { values, hasFrames } = await openSource(source, this.signal);
      const intake = new Intake(format, hasFrames, limits.eventSize);
      const subscriber = new GuardedSubscriber<unknown>(
        {
          next: (value) => this.take(intake, value),
          error: (error) => this.sourceFailed(error),
          complete: () => {
            this.take(intake);
            this.finish('completed', format.completed());
          },
        },
        guard,
        this.what,
      );
      this.subscriber = subscriber;
      subscriber.subscribeTo(this.streamOf(values));
      if (this.outcome) {
        subscriber.unsubscribe();
      }
    } catch (error) {
      this.sourceFailed(error);
    }
  }

  /** The values as an Observable. An iterable waits while chunks wait for the store. */
  private streamOf(values: AsyncIterator<unknown> | Observable<unknown>): Observable<unknown> {
    return isObservable(values)
      ? values
      : iterableStream({ [Symbol.asyncIterator]: () => values }, this.writer, this.services.guard);
  }

  /** Takes a value, or without one what is left at the end of the source. */
  private take(intake: Intake, ...values: readonly [value?: unknown]): void {
    if (this.outcome) {
      return;
    }
    try {
      const chunks = values.length === 0 ? intake.rest() : intake.take(values[0]);
      for (const chunk of chunks) {
        checkEvent(chunk, this.terms.limits);
        this.bytes += Buffer.byteLength(chunk.data);
        if (this.bytes > this.terms.bytes) {
          this.failed({ reason: 'limit', message: 'This became too long.' });
          return;
        }
        this.writer.write(chunk);
      }
    } catch (error) {
      this.sourceFailed(error);
      return;
    }
    this.begun?.resolve();
    this.begun = undefined;
  }

  private readonly hear = (after?: number, chunks: readonly RunChunk[] = []): void => {
    if (this.outcome) {
      return;
    }
    if (after === undefined) {
      void this.look();
    } else if (chunks.at(-1)?.end) {
      this.wasEnded();
    }
  };

  /** Somebody has ended the run: whoever found its lease over, or else whoever stopped it. */
  private wasEnded(): void {
    if (this.writer.isLeaseOver) {
      this.lost();
    } else {
      this.stopped();
    }
  }

  /** Looks whether somebody has ended the run while nobody listened. */
  private async look(): Promise<void> {
    const { run, services } = this;
    // An append tells the same, only later.
    const record = await services.store.find(run.channel, run.id).catch(() => undefined);
    if (record?.hasEnded && !this.outcome) {
      this.wasEnded();
    }
  }

  private sourceFailed(error: unknown): void {
    if (this.outcome) {
      return;
    }
    const { guard } = this.services;
    const { errorMessage } = this.terms;
    guard.report(this.what, error);
    const given: unknown = guard.run('`errorMessage`', () => errorMessage?.(error));
    const message = typeof given === 'string' ? given : GENERAL_MESSAGE;
    this.begun?.reject(error);
    this.failed({ reason: 'error', message }, error);
  }

  private failed(failure: RunFailure, error?: unknown): void {
    const { format, limits } = this.terms;
    this.finish(failure.reason, failedChunks(format, failure, limits.eventSize), error);
  }

  /** Sends the last chunks to the store. */
  private finish(reason: RunEndReason, chunks: readonly RunChunk[], error?: unknown): void {
    if (!this.outcome) {
      this.outcome = { reason, error };
      this.leaveSource();
      chunks.forEach((chunk) => this.writer.write(chunk));
    }
  }

  /** Ends the run with nothing more for the store. */
  private over(reason: RunEndReason): void {
    this.outcome = { reason };
    this.leaveSource();
    this.settle();
  }

  private leaveSource(): void {
    const { reason } = this.outcome!;
    clearTimeout(this.timer);
    this.leave?.();
    if (reason !== 'completed' && reason !== 'error') {
      this.abort.abort();
    }
    this.subscriber?.unsubscribe();
    this.begun?.resolve();
    this.begun = undefined;
  }

  private settle(): void {
    this.writer.stop();
    this.resolveDone({ ...this.outcome!, chunks: this.writer.head });
  }
}
