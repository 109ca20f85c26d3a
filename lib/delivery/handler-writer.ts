import type { Observable, Observer } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import type { LogEntry } from '../channel/log-entry.js';
import { isOf } from '../channel/reason.js';
import type { SseEvent } from '../channel/sse-event.js';
import { BLOCK_SIZE } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import { emittedFrame, frameOfEvent, type EmittedFrameOptions } from './emitted-frame.js';
import { GuardedSubscriber } from './guarded-observable.js';
import { clientDoesNotRead, endlessValue, noMessage, tooMuchAtOnce } from './handler-faults.js';

/**
 * The most characters that wait for a client that does not read. Channels are not read meanwhile,
 * but nothing can pause a handler's own events.
 */
const MAX_PENDING = 4 * 1024 * 1024;

/** How deep emitted values may nest: the toJSON() of one may emit another. */
const MAX_NESTED = 16;

export interface HandlerWriterOptions extends EmittedFrameOptions {
  /** The handler, as log lines name it. */
  readonly handler: string;
  readonly guard: Guard;
}

/** The channels that a handler reads, at the pace of its client. */
export interface HandlerChannels {
  /** Their names. */
  readonly names: readonly string[];
  pull(): void;
  close(): void;
}

/** Writes what a handler emits to one connection. */
export class HandlerWriter implements ConnectionReader, Observer<unknown> {
  /** Why the stream has failed, once it has. */
  failure: { readonly cause: unknown } | undefined;
  /** The event that the handler is receiving, and its entry. */
  passed: SseEvent | undefined;
  passedEntry: LogEntry | undefined;
  /** Whether the handler is receiving events, so that more frames are about to come. */
  isReading = false;
  /** The last frame of the stream, which waits until the handler has completed. */
  lastFrame = '';
  private read: HandlerChannels | undefined;
  private connection: Connection | undefined;
  private source: GuardedSubscriber<unknown> | undefined;
  private pending = '';
  /** How many frames are pending. */
  private pendingCount = 0;
  private isFlushDue = false;
  private isComplete = false;
  private isClosed = false;
  private hasComplained = false;
  /** How many values are being turned into text. */
  private nested = 0;
  /** Called once there is room again. */
  private waiting: (() => void) | undefined;

  constructor(private readonly options: HandlerWriterOptions) {}

  /** Subscribes to the handler's stream. */
  subscribe(source: Observable<unknown>, observer: Observer<unknown> = this): void {
    const { guard, handler } = this.options;
    const subscriber = new GuardedSubscriber(observer, guard, `the stream of ${handler}`);
    this.source = subscriber;
    subscriber.subscribeTo(source);
  }

  /** Reads channels from here on, at the pace of the client. */
  readFrom(channels: HandlerChannels): void {
    this.read = channels;
  }

  /** Starts to write. The caller has written the head. */
  writingTo(connection: Connection): this {
    this.connection = connection;
    return this;
  }

  get channels(): readonly string[] {
    return this.read?.names ?? [];
  }

  get isBlocked(): boolean {
    return !this.connection || this.connection.isBlocked;
  }

  /** Whether a whole block waits to be written. */
  get isFull(): boolean {
    return this.pending.length >= BLOCK_SIZE;
  }

  /** Whether nothing waits to be written. */
  get isEmpty(): boolean {
    return this.pending === '';
  }

  /** Resolves once there is room for more, or nothing is written any more. */
  whenRoom(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  pull(): void {
    this.flush();
    this.read?.pull();
  }

  close(): void {
    this.isClosed = true;
    this.pending = '';
    try {
      this.source?.unsubscribe();
      this.read?.close();
    } finally {
      this.wake();
    }
  }

  next(emitted: unknown): void {
    if (this.isClosed || this.failure) {
      return;
    }
    if (this.nested === MAX_NESTED) {
      this.error(endlessValue());
      return;
    }
    let frame: string | undefined;
    this.nested++;
    try {
      frame =
        emitted === this.passed && this.passed && this.passedEntry
          ? frameOfEvent(this.passed, this.passedEntry)
          : emittedFrame(emitted, this.passed, this.options);
    } catch (error) {
      this.error(error);
      return;
    } finally {
      this.nested--;
    }
    if (frame === undefined) {
      this.complain();
    } else if (!this.failure) {
      // The value's own code may have failed the stream meanwhile.
      this.write(frame);
    }
  }

  /** Ends the stream, with what was emitted before. */
  error(cause: unknown): void {
    if (this.isClosed) {
      return;
    }
    this.failure ??= { cause };
    this.flushSoon();
    // The source goes on when a value of it could not be sent. After a stack overflow, its teardown
    // could not run yet.
    if (!isOf(cause, RangeError)) {
      this.source?.unsubscribe();
    }
  }

  complete(): void {
    this.isComplete = true;
    this.flush();
  }

  /** Adds a frame, which is written at the end of this turn. */
  write(frame: string): void {
    this.pending += frame;
    this.pendingCount += frame === '' ? 0 : 1;
    if (this.pending.length > MAX_PENDING) {
      this.giveUp();
    } else if (!this.isReading) {
      this.flushSoon();
    }
  }

  /** Writes the pending frames if the client takes them, and ends the response after the last. */
  flush(): void {
    const { connection, failure, pending, pendingCount } = this;
    if (!connection || this.isClosed || connection.isHeld) {
      return;
    }
    if (failure) {
      this.report(failure.cause);
      connection.end(pending, 'error', pendingCount);
      return;
    }
    if (pending !== '' && !connection.isBlocked) {
      this.pending = '';
      this.pendingCount = 0;
      connection.sendShared(pending, pendingCount);
    }
    if (this.isComplete && this.pending === '') {
      connection.end(this.lastFrame, 'completed', this.lastFrame === '' ? 0 : 1);
    }
    if (!connection.isBlocked) {
      this.wake();
    }
  }

  private flushSoon(): void {
    if (!this.isFlushDue) {
      setImmediate(this.flushDue);
      this.isFlushDue = true;
    }
  }

  private readonly flushDue = (): void => {
    this.isFlushDue = false;
    this.options.guard.run(`Writing the stream of ${this.options.handler}`, () => this.flush());
  };

  /** Ends the stream, as more frames wait than may. */
  private giveUp(): void {
    const { length } = this.pending;
    this.pending = '';
    if (!this.connection) {
      this.error(tooMuchAtOnce(length, MAX_PENDING));
      return;
    }
    this.report(clientDoesNotRead(length));
    this.connection.destroy('stalled');
  }

  private complain(): void {
    if (!this.hasComplained) {
      this.hasComplained = true;
      this.report(noMessage());
    }
  }

  private report(error: unknown): void {
    this.options.guard.report(`The stream of ${this.options.handler}`, error);
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.();
  }
}
