import { checkEvent, isSmall } from '../channel/event-check.js';
import { asReported } from '../channel/reported.js';
import type { NewRun, RunChunk } from '../channel/runs.js';
import { isObservable, type Observable, type Observer } from 'rxjs';
import { GuardedSubscriber } from '../delivery/guarded-observable.js';
import { iterableStream } from '../delivery/iterable-stream.js';
import type { RunFailure } from './formats/run-format.js';
import { failedChunks, GENERAL_MESSAGE, SHUTDOWN } from './last-chunks.js';
import { endRun, lostChunks, tellLost, type RunServices } from './run-services.js';
import { countedBytes, type RunTerms } from './run-terms.js';
import type { RunTurns } from './run-turns.js';
import { RunWriter, type RunOwner } from './run-writer.js';
import { Intake } from './source/intake.js';
import { leaveValues, openSource, type RunSource } from './source/run-source.js';
import type { RunEndReason, SseRunEnd } from './sse-run.js';

/** A run that this instance has begun: it reads the source, and ends with it, or before. */
export class ActiveRun implements RunOwner, Observer<unknown> {
  private readonly writer: RunWriter;
  private intake: Intake | undefined;
  private bytes = 0;
  /** How the run ends; set when its end is on the way to the store, or not needed there. */
  private outcome: { readonly reason: RunEndReason; readonly error?: unknown } | undefined;
  private begun: { resolve(): void; reject(error: unknown): void } | undefined;
  readonly done: Promise<SseRunEnd>;
  private readonly abort = new AbortController();
  private readonly what: string;
  private subscriber: GuardedSubscriber<unknown> | undefined;
  private leave: (() => void) | undefined;
  private timer: NodeJS.Timeout | undefined;
  private resolveDone!: (end: SseRunEnd) => void;

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
    const [{ duration }, { store }] = [this.terms, this.services];
    try {
      this.leave = (store.followEnd ?? store.follow).call(store, this.run, this.hear.bind(this));
    } catch (error) {
      this.failed({ reason: 'error', message: GENERAL_MESSAGE }, error);
      throw error;
    }
    if (duration > 0) {
      const limit = { reason: 'limit', message: 'This took too long.' } as const;
      this.timer = setTimeout(() => this.failed(limit), duration).unref();
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

  /** Takes a value of the source. */
  next(value: unknown): void {
    if (this.outcome) {
      return;
    }
    try {
      this.write(this.intake!.take(value));
    } catch (error) {
      return this.error(error);
    }
    this.begun?.resolve();
    this.begun = undefined;
  }

  /** Takes the end of the source. */
  complete(): void {
    if (this.outcome) {
      return;
    }
    try {
      this.write(this.intake!.rest());
    } catch (error) {
      this.error(error);
    }
    this.finish('completed', this.terms.format.completed());
  }

  /** Takes the error of the source. */
  error(error: unknown): void {
    if (this.outcome) {
      return;
    }
    const [{ guard }, { errorMessage }] = [this.services, this.terms];
    guard.report(this.what, error);
    const given: unknown = guard.run('`errorMessage`', () => errorMessage?.(error));
    const message = typeof given === 'string' ? given : GENERAL_MESSAGE;
    this.begun?.reject(asReported(error)); // It is no outage of the store.
    this.failed({ reason: 'error', message }, error);
  }

  endedByOthers(): void {
    this.over('stopped');
  }

  lost(): void {
    this.over('lost');
    const { run, services } = this;
    tellLost(run, services);
    // Where the store cannot be reached, somebody who can reach it ends the run.
    void endRun(run, lostChunks(run, services), false, services).catch(() => undefined);
  }

  finished(): void {
    this.writer.stop();
    this.resolveDone({ ...this.outcome!, chunks: this.writer.head });
  }

  private async read(source: RunSource): Promise<void> {
    const { format, limits } = this.terms;
    try {
      const { values, hasFrames } = await openSource(source, this.signal);
      if (this.outcome) {
        return void this.services.guard.run(this.what, () => leaveValues(values));
      }
      this.intake = new Intake(format, hasFrames, limits.eventSize);
      const subscriber = new GuardedSubscriber<unknown>(this, this.services.guard, this.what);
      this.subscriber = subscriber;
      subscriber.subscribeTo(this.streamOf(values));
    } catch (error) {
      this.error(error);
    }
  }

  /** The values as an Observable. An iterable waits while chunks wait for the store. */
  private streamOf(values: AsyncIterator<unknown> | Observable<unknown>): Observable<unknown> {
    return isObservable(values)
      ? values
      : iterableStream({ [Symbol.asyncIterator]: () => values }, this.writer, this.services.guard);
  }

  /** Writes chunks until there is one too many. */
  private write(chunks: readonly RunChunk[]): void {
    const { limits, bytes } = this.terms;
    for (const chunk of chunks) {
      // Formats give text: nothing can be wrong with most chunks.
      if (chunk.type !== undefined || !isSmall(chunk.data, limits.eventSize)) {
        checkEvent(chunk, limits);
      }
      this.bytes += countedBytes(chunk);
      if (this.bytes > bytes) {
        return this.failed({ reason: 'limit', message: 'This became too long.' });
      }
      this.writer.write(chunks.length === 1 ? chunks : [chunk]);
    }
  }

  private hear(after?: number, chunks: readonly RunChunk[] = []): void {
    if (this.outcome) {
      return;
    }
    if (after === undefined) {
      void this.look();
    } else if (chunks[chunks.length - 1]?.end) {
      this.wasEnded();
    }
  }

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

  private failed(failure: RunFailure, error?: unknown): void {
    const { format, limits } = this.terms;
    this.finish(failure.reason, failedChunks(format, failure, limits.eventSize), error);
  }

  /** Sends the last chunks to the store. */
  private finish(reason: RunEndReason, chunks: readonly RunChunk[], error?: unknown): void {
    if (!this.outcome) {
      this.outcome = { reason, error };
      this.leaveSource();
      chunks.forEach((chunk) => this.writer.write([chunk]));
    }
  }

  /** Ends the run with nothing more for the store. */
  private over(reason: RunEndReason): void {
    this.outcome = { reason };
    this.leaveSource();
    this.finished();
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
}
