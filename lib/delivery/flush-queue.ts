import type { Channel } from '../channel/channel.js';
import type { Reader } from '../channel/reader.js';
import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import { SLICE_MS } from '../channel/slices.js';
import { DeliveryWatch, type WatchedDelivery } from './delivery-watch.js';

/** Readers served between two readings of the clock. */
const READERS_PER_LOOK = 16;

/** A reader of channels, or a connection that goes on after a pause. */
export interface Pullable {
  pull(): void;
}

/**
 * Pulls the readers of channels that have new events, and readers that go on after a pause. It
 * serves each reader once per turn of the event loop, however many events came, and works in slices
 * of time, however many readers there are. A reader that waits for a later slice reads more at
 * once.
 */
export class FlushQueue {
  private readonly dirty = new Set<Channel>();
  private readonly woken = new Set<Pullable>();
  private current:
    | { channel: Channel; readers: Iterator<Reader>; watched: WatchedDelivery | undefined }
    | undefined;
  private readonly watch = new DeliveryWatch();
  private isScheduled = false;
  /** Whether the next reader is a woken one: these alternate with the readers of channels. */
  private isWokenNext = false;

  constructor(
    private readonly options: {
      /** Runs a function outside of any request's async context. */
      readonly detach: <R>(run: () => R) => R;
      readonly guard: Guard;
      /** Called when every reader has been served. */
      readonly onIdle: () => void;
    },
  ) {}

  /** Pulls the readers of a channel at the end of this turn of the event loop. */
  readonly add = (channel: Channel, count = 1): void => {
    this.dirty.add(channel);
    if (this.watch.isOn) {
      this.watch.appended(channel, count);
    }
    this.schedule();
  };

  /** Pulls one reader, in a turn that has time for it. */
  readonly wake = (reader: Pullable): void => {
    this.woken.add(reader);
    this.schedule();
  };

  private schedule(): void {
    if (!this.isScheduled) {
      this.isScheduled = true;
      this.options.detach(() => setImmediate(this.flush));
    }
  }

  private readonly flush = (): void => {
    this.isScheduled = false;
    const until = monotonicNow() + SLICE_MS;
    // A reader that is woken while this runs has just been served, and waits for the next turn.
    let woken = this.woken.size;
    let served = 0;
    for (;;) {
      this.isWokenNext = !this.isWokenNext && woken > 0;
      const reader = this.isWokenNext ? this.nextWoken() : this.nextOfChannel();
      if (reader) {
        woken -= this.isWokenNext ? 1 : 0;
        this.serve(reader);
      } else if (woken === 0) {
        break;
      }
      if (++served % READERS_PER_LOOK === 0 && monotonicNow() > until) {
        this.schedule();
        return;
      }
    }
    // One that was woken meanwhile has scheduled the next turn.
    if (this.woken.size === 0) {
      this.options.onIdle();
    }
  };

  private serve(reader: Pullable): void {
    try {
      reader.pull();
    } catch (error) {
      // The other readers must still be served.
      this.options.guard.report('The delivery to a client', error);
    }
  }

  private nextWoken(): Pullable | undefined {
    const [reader] = this.woken;
    if (reader) {
      this.woken.delete(reader);
    }
    return reader;
  }

  private nextOfChannel(): Reader | undefined {
    for (;;) {
      if (this.current) {
        const { value } = this.current.readers.next();
        if (value) {
          return value;
        }
        if (this.current.watched) {
          this.watch.end(this.current.channel, this.current.watched);
        }
        this.current = undefined;
      }
      const [channel] = this.dirty;
      if (!channel) {
        return undefined;
      }
      this.dirty.delete(channel);
      const watched = this.watch.begin(channel);
      this.current = { channel, readers: channel.readers.values(), watched };
    }
  }
}
