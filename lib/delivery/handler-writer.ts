import { Observable, type Subscriber, type Subscription as RxSubscription } from 'rxjs';
import type { LogEntry } from '../channel/log-entry.js';
import type { SseEvent } from '../channel/sse-event.js';
import { BLOCK_SIZE } from './block.js';
import type { Connection, ConnectionReader } from './connection.js';
import { entryOf } from './event-of.js';
import { entryFrame, entryFrameWith, frameOf } from './frame.js';
import { ObservableReader, type EventTarget } from './observable-reader.js';
import type { Subscription } from './subscription.js';

/** What a handler may emit, as with Nest's own `@Sse()`: a message, or its data alone. */
type Emitted = Partial<Record<'data' | 'id' | 'type' | 'retry' | 'comment', unknown>>;

/**
 * The most characters of frames that wait for a client that does not read. Channel events
 * are not read while it does not; what a handler makes itself cannot be paused.
 */
const MAX_PENDING = 4 * 1024 * 1024;

/** Runs a handler's Observable for one connection, and writes what it emits. */
export class HandlerWriter implements ConnectionReader, EventTarget {
  /** The channel's events as the handler receives them. */
  readonly events$: Observable<SseEvent>;
  /** Why the Observable has failed, once it has. */
  error: { readonly cause: unknown } | undefined;
  private connection: Connection | undefined;
  private handler: RxSubscription | undefined;
  private reader: ObservableReader | undefined;
  private isReaderUsed = false;
  private pending = '';
  private lastFrame = '';
  /** The event that is being passed to the handler right now. */
  private current: SseEvent | undefined;
  private currentEntry: LogEntry | undefined;
  private isPulling = false;
  private isFlushDue = false;
  private isComplete = false;
  private subscriber: Subscriber<SseEvent> | undefined;

  constructor(
    private readonly channels: {
      /** The client's own place in the channels. */
      readonly first: Subscription;
      /** Another one, for a handler that subscribes more than once. */
      readonly another: () => Subscription;
    },
    private readonly onError: (error: unknown) => void,
  ) {
    this.events$ = new Observable((subscriber) => this.connectReader(subscriber));
  }

  /** Subscribes to what the handler returned. */
  subscribe(source: Observable<unknown>): void {
    this.handler = source.subscribe({
      next: (emitted) => this.write(emitted),
      error: (cause: unknown) => this.fail(cause),
      complete: () => this.complete(),
    });
  }

  /** Starts to write: the head is out. */
  writingTo(connection: Connection): this {
    this.connection = connection;
    return this;
  }

  get isBlocked(): boolean {
    return !this.connection || this.connection.isBlocked;
  }

  pull(): void {
    this.flush();
    this.reader?.pull();
  }

  close(): void {
    this.handler?.unsubscribe();
    this.reader?.close();
    this.channels.first.close();
  }

  event(event: SseEvent, entry: LogEntry): void {
    this.current = event;
    this.currentEntry = entry;
    this.isPulling = true;
    this.subscriber?.next(event);
    this.current = undefined;
    if (this.pending.length >= BLOCK_SIZE) {
      this.flush();
    }
  }

  control(event: SseEvent, entry: LogEntry): void {
    const frame = frameOfEvent(event, entry);
    if (entry.end && this.reader?.hasEnded) {
      // The handler may still hold events back: it is told first, and the client last.
      this.lastFrame = frame;
    } else {
      this.pending += frame;
    }
  }

  pulled(): void {
    this.isPulling = false;
    this.flush();
  }

  end(): void {
    this.subscriber?.complete();
  }

  private connectReader(subscriber: Subscriber<SseEvent>): () => void {
    if (this.isReaderUsed) {
      return readInto(this.channels.another(), subscriber);
    }
    this.isReaderUsed = true;
    this.subscriber = subscriber;
    const reader = new ObservableReader(this.channels.first, this);
    this.reader = reader;
    reader.pull();
    return () => reader.close();
  }

  private write(emitted: unknown): void {
    this.pending += this.frameOf(emitted);
    if (this.pending.length > MAX_PENDING) {
      this.onError(
        new Error(
          `A client does not read and ${this.pending.length} characters wait for it; ` +
            'its connection is destroyed. It may return with its Last-Event-ID.',
        ),
      );
      this.connection?.destroy();
      return;
    }
    if (!this.isPulling && !this.isFlushDue) {
      this.isFlushDue = true;
      setImmediate(() => {
        this.isFlushDue = false;
        this.flush();
      });
    }
  }

  private frameOf(emitted: unknown): string {
    if (emitted === this.current && this.currentEntry) {
      return frameOfEvent(this.current!, this.currentEntry);
    }
    if (typeof emitted !== 'object' || emitted === null) {
      return frameOf({ id: this.current?.id, data: textOf(emitted) });
    }
    const entry = entryOf(emitted);
    if (entry) {
      return frameOfEvent(emitted as SseEvent, entry);
    }
    const { id, type, retry, data, comment } = emitted as Emitted;
    const fields = {
      id: id === undefined || id === null ? this.current?.id : lineOf(id),
      type: type === undefined || type === null ? undefined : lineOf(type),
      retry: retry === undefined || retry === null ? undefined : Number(retry),
      data: data === undefined || data === null ? undefined : textOf(data),
    };
    const note = typeof comment === 'string' ? `: ${lineOf(comment)}\n` : '';
    const isNote = fields.data === undefined && fields.type === undefined;
    return note + frameOf(isNote && note ? { retry: fields.retry } : fields);
  }

  private flush(): void {
    if (this.pending !== '' && this.connection && !this.connection.isBlocked) {
      const frames = this.pending;
      this.pending = '';
      this.connection.sendShared(frames);
    }
    if (this.isComplete && this.pending === '') {
      this.connection?.end(this.lastFrame || undefined);
    }
  }

  private complete(): void {
    this.isComplete = true;
    this.flush();
  }

  private fail(cause: unknown): void {
    this.error = { cause };
    if (this.connection) {
      this.onError(cause);
      const frames = this.pending;
      this.pending = '';
      this.connection.end(frames || undefined);
    }
  }
}

/** Reads channels into a subscriber: everything, control events too, at any pace. */
export function readInto(subscription: Subscription, subscriber: Subscriber<SseEvent>): () => void {
  const next = (event: SseEvent): void => subscriber.next(event);
  const reader = new ObservableReader(subscription, {
    isBlocked: false,
    event: next,
    control: next,
    end: () => subscriber.complete(),
  });
  reader.pull();
  return () => reader.close();
}

/** The frame of an unchanged event; its id differs from the entry's on several channels. */
function frameOfEvent(event: SseEvent, entry: LogEntry): string {
  return event.id === entry.id ? entryFrame(entry) : entryFrameWith(event.id, entry);
}

function textOf(data: unknown): string {
  return typeof data === 'string' ? data : (JSON.stringify(data) ?? '');
}

/** A field of one line, as Nest writes it: what would end the line is left out. */
function lineOf(value: unknown): string {
  return String(value).replace(/[\r\n\0]/g, '');
}
