import type { Observable, Subscriber } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import type { LogEntry } from '../channel/log-entry.js';
import type { SseEvent } from '../channel/sse-event.js';
import { frameOfEvent } from './emitted-frame.js';
import { GuardedObservable } from './guarded-observable.js';
import type { HandlerChannels, HandlerWriter } from './handler-writer.js';
import { ObservableReader, type EventTarget } from './observable-reader.js';
import type { Subscription } from './subscription.js';
import type { ChannelRequest } from './channel-request.js';

/**
 * The events of a request's channels, for its handler. However often the handler subscribes, one
 * reader reads the channels, so that the handler emits in the order of the ids.
 */
export class HandlerEvents implements HandlerChannels, EventTarget {
  private shown: Observable<SseEvent> | undefined;
  /** A new array after each change: subscribers come and go while they receive an event. */
  private subscribers: readonly Subscriber<SseEvent>[] = [];
  private reader: ObservableReader | undefined;
  private hasRead = false;
  /** Where the next reader starts, once the reader was closed; `undefined` for the head. */
  private position: string | undefined;
  private isReopening = false;
  private isClosed = false;

  constructor(
    /** The client's place in the channels, until a reader takes it. */
    private subscription: Subscription | undefined,
    private readonly requests: readonly ChannelRequest[],
    /** Opens the channels at another place. */
    private readonly reopen: (position: string | undefined) => Promise<Subscription>,
    private readonly writer: HandlerWriter,
    private readonly guard: Guard,
  ) {}

  get events$(): Observable<SseEvent> {
    return (this.shown ??= new GuardedObservable(this.guard, '@SseEvents()', (subscriber) =>
      this.add(subscriber),
    ));
  }

  get names(): readonly string[] {
    return this.requests.map(({ name }) => name);
  }

  get isBlocked(): boolean {
    return this.writer.isBlocked || this.subscribers.length === 0;
  }

  pull(): void {
    this.reader?.pull();
  }

  close(): void {
    this.isClosed = true;
    this.subscription?.close();
    this.reader?.close();
    this.complete();
  }

  event(event: SseEvent, entry: LogEntry): void {
    const { writer } = this;
    this.hasRead = true;
    writer.isReading = true;
    writer.passed = event;
    writer.passedEntry = entry;
    for (const subscriber of this.subscribers) {
      try {
        subscriber.next(event);
      } catch (error) {
        this.guard.report('A subscriber of @SseEvents()', error);
      }
    }
    writer.passed = undefined;
    if (writer.isFull) {
      writer.flush();
    }
    this.leave();
  }

  control(event: SseEvent, entry: LogEntry): void {
    const frame = frameOfEvent(event, entry);
    this.hasRead = true;
    if (entry.end && this.reader?.hasEnded) {
      // The handler may still hold events back, so the client receives the end after them.
      this.writer.lastFrame = frame;
    } else {
      this.writer.isReading = true;
      this.writer.write(frame);
    }
  }

  pulled(): void {
    this.writer.isReading = false;
    this.writer.flush();
  }

  end(): void {
    this.reader = undefined;
    this.position = undefined;
    this.complete();
  }

  private add(subscriber: Subscriber<SseEvent>): void {
    if (this.isClosed) {
      subscriber.complete();
      return;
    }
    this.subscribers = [...this.subscribers, subscriber];
    subscriber.add(() => {
      this.subscribers = this.subscribers.filter((each) => each !== subscriber);
      // A subscriber may leave while it receives an event, and come back.
      if (!this.writer.passed) {
        this.leave();
      }
    });
    this.start();
  }

  private start(): void {
    const { subscription } = this;
    if (this.reader) {
      this.reader.pull();
    } else if (subscription) {
      this.subscription = undefined;
      this.read(subscription);
    } else if (!this.isReopening) {
      this.isReopening = true;
      void this.readAnew();
    }
  }

  private read(subscription: Subscription): void {
    this.hasRead = false;
    this.reader = new ObservableReader(subscription, this);
    this.reader.pull();
  }

  private async readAnew(): Promise<void> {
    try {
      const subscription = await this.reopen(this.position);
      if (this.isClosed || this.subscribers.length === 0) {
        subscription.close();
      } else {
        this.read(subscription);
      }
    } catch (error) {
      for (const subscriber of this.subscribers) {
        this.guard.run('A subscriber of @SseEvents()', () => subscriber.error(error));
      }
    } finally {
      this.isReopening = false;
    }
  }

  /** Closes the reader and keeps its position, once the last subscriber has left. */
  private leave(): void {
    const { reader } = this;
    if (reader && this.hasRead && this.subscribers.length === 0) {
      this.reader = undefined;
      this.position = reader.position;
      reader.close();
    }
  }

  private complete(): void {
    for (const subscriber of this.subscribers) {
      this.guard.run('A subscriber of @SseEvents()', () => subscriber.complete());
    }
  }
}
