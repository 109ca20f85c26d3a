import { AsyncResource } from 'node:async_hooks';
import type { Reader } from '../channel/reader.js';
import type { LogEntry } from '../channel/log-entry.js';
import { RESET_TYPE } from '../channel/reset-event.js';
import type { SseEvent } from '../channel/sse-event.js';
import type { EntryMerge } from './entry-merge.js';
import { eventOf } from './event-of.js';
import { NO_POSITION } from './resume-positions.js';
import type { Subscription } from './subscription.js';

/** Takes what an Observable reader reads. */
export interface EventTarget {
  /** True while no more should be read. The target pulls once it may go on. */
  readonly isBlocked: boolean;
  event(event: SseEvent, entry: LogEntry): void;
  /** A `sse:reset`, or the last event of a run. */
  control(event: SseEvent, entry: LogEntry): void;
  /** The reader has read all there was for now. */
  pulled?(): void;
  end(): void;
}

/** Events that a subscriber receives before the other readers get their turn. */
const EVENTS_PER_PULL = 256;

/** Reads channels one event at a time, for RxJS. */
export class ObservableReader implements Reader {
  private readonly merge: EntryMerge;
  /** The async context of the subscriber's request, in which its code runs. */
  private readonly context = new AsyncResource('SseEvents', { requireManualDestroy: true });
  private isPulling = false;
  private isClosed = false;

  constructor(
    private readonly subscription: Subscription,
    private readonly target: EventTarget,
  ) {
    this.merge = subscription.merge();
    subscription.attach(this);
  }

  /** Where another reader would go on; `undefined` while that is unknown. */
  get position(): string | undefined {
    const { id, cursors } = this.subscription;
    return cursors.some(({ resetReason }) => resetReason) ? NO_POSITION : id;
  }

  get hasEnded(): boolean {
    return this.merge.hasEnded;
  }

  pull(): void {
    // A subscriber's code may pull this reader again while it receives an event.
    if (this.isPulling) {
      return;
    }
    this.isPulling = true;
    try {
      this.context.runInAsyncScope(this.read);
    } finally {
      this.isPulling = false;
    }
  }

  close(): void {
    if (!this.isClosed) {
      this.isClosed = true;
      this.subscription.close();
    }
  }

  private readonly read = (): void => {
    let events = 0;
    try {
      while (!this.isClosed && !this.target.isBlocked && !this.merge.hasEnded) {
        if (events++ === EVENTS_PER_PULL) {
          // Lets the other readers have their turn.
          this.subscription.pull();
          break;
        }
        if (!this.merge.next()) {
          break;
        }
        this.pass(this.merge);
      }
    } finally {
      // Also when the subscriber has left while it received an event.
      this.target.pulled?.();
    }
    if (!this.isClosed && this.merge.hasEnded) {
      this.close();
      this.target.end();
    }
  };

  private pass({ channel, entry }: EntryMerge): void {
    // Without a position the client keeps the one it has.
    const id = this.subscription.isLabelled ? this.subscription.idOf(channel, entry) : undefined;
    const event = eventOf(channel.name, entry, id);
    if (entry.end || entry.type === RESET_TYPE) {
      this.target.control(event, entry);
    } else {
      this.target.event(event, entry);
    }
  }
}
