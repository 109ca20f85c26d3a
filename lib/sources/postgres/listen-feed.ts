import { atOnce } from '../../channel/at-once.js';
import { appendOrSkip } from '../../channel/event-check.js';
import { isEventType } from '../../channel/event-type.js';
import type { Guard } from '../../channel/guard.js';
import type { ChannelFeed, ChannelSink, SourceEvent } from '../../channel/source.js';
import { shown } from '../../channel/shown.js';
import { WaitingPayloads } from './waiting-payloads.js';
import type { ListenOptions } from './listen.options.js';
import type { ListenSubscriber } from './postgres-listener.js';
import { refetched } from './refetch.js';
import { readTriggerPayload } from './trigger-payload.js';

/** Appends the notifications of one channel to its log, and announces the gaps between them. */
export class ListenFeed implements ChannelFeed, ListenSubscriber {
  /**
   * Notifications that wait for `live()`, or until a gap is announced; unset while they go straight
   * through.
   */
  private waiting: WaitingPayloads | undefined = new WaitingPayloads();
  private isLive = false;
  private isListening = false;
  private hasGap = false;
  private isRecovering = false;
  private readonly closed = new AbortController();
  private hasComplained = false;
  private release: (() => void) | undefined;

  constructor(
    private readonly channel: string,
    private readonly sink: ChannelSink,
    private readonly guard: Guard,
    private readonly options: ListenOptions,
  ) {}

  /** Takes the function that ends the subscription. */
  subscribed(release: () => void): void {
    this.release = release;
  }

  close(): void {
    this.closed.abort();
    this.waiting = undefined;
    this.release?.();
  }

  listening(): void {
    if (this.isClosed || this.isListening) {
      return;
    }
    this.isListening = true;
    if (!this.isLive) {
      this.isLive = true;
      this.sink.live();
      this.flush();
    } else if (!this.isRecovering) {
      this.guard.run(this.subject('The recovery'), () => this.recover());
    }
  }

  notified(payload: string): void {
    if (this.waiting !== undefined) {
      this.waiting.push(payload);
    } else if (!this.isClosed) {
      this.appendPayload(payload);
    }
  }

  lost(): void {
    this.isListening = false;
    if (this.isLive && !this.isClosed) {
      this.hasGap = true;
      this.waiting ??= new WaitingPayloads();
    }
  }

  private get isClosed(): boolean {
    return this.closed.signal.aborted;
  }

  private async recover(): Promise<void> {
    this.isRecovering = true;
    try {
      while (this.hasGap && this.isListening) {
        this.hasGap = false;
        const events = await this.refetch();
        if (this.isClosed) {
          return;
        }
        this.guard.run(this.subject('The announcement of a gap'), () => {
          this.sink.reset('listener-gap');
          events.forEach((event) => this.append(event, 'what "refetch" returned'));
        });
        this.flush();
      }
    } finally {
      this.isRecovering = false;
    }
  }

  private async refetch(): Promise<readonly SourceEvent[]> {
    const { refetch } = this.options;
    if (refetch === undefined) {
      return [];
    }
    try {
      return await refetched(refetch, this.channel, this.closed.signal);
    } catch (error) {
      if (!this.isClosed) {
        this.guard.report(this.subject('"refetch"'), error);
      }
      return [];
    }
  }

  /**
   * Appends the notifications that wait. New ones go on waiting when the connection was lost again
   * meanwhile.
   */
  private flush(): void {
    const waiting = this.waiting ?? new WaitingPayloads();
    this.waiting = this.hasGap ? new WaitingPayloads() : undefined;
    if (waiting.hasGap) {
      this.sink.reset('listener-gap');
    }
    for (const payload of waiting) {
      this.appendPayload(payload);
    }
  }

  private appendPayload(payload: string): void {
    const { data, type: operation } = readTriggerPayload(payload);
    const type = this.eventName(data, operation);
    const isEnd = payload === (this.options.doneSignal ?? '[DONE]');
    this.append({ data, type, end: isEnd ? true : undefined }, 'a notification');
  }

  private append(event: SourceEvent, what: string): void {
    appendOrSkip(this.sink, event, (error) => this.complain(`Sending ${what}`, error));
  }

  private eventName(payload: string, operation: string | undefined): string | undefined {
    const { type } = this.options;
    if (typeof type !== 'function') {
      return type ?? operation;
    }
    try {
      const name: unknown = atOnce(type(payload, operation));
      if (name === undefined || name === null) {
        return operation;
      }
      if (isEventType(name)) {
        return name;
      }
      throw new Error(
        `it returned ${shown(name)}. Return a string without CR, LF and NUL that does not begin with "sse:", or undefined`,
      );
    } catch (error) {
      this.complain('"type"', error);
      return operation;
    }
  }

  /** Once per feed: a fault that comes with one notification comes with each. */
  private complain(what: string, error: unknown): void {
    if (!this.hasComplained) {
      this.hasComplained = true;
      this.guard.report(`${this.subject(what)} (not reported again for this channel)`, error);
    }
  }

  private subject(what: string): string {
    return `${what} of Postgres channel ${JSON.stringify(this.channel)}`;
  }
}
