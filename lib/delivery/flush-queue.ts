import type { Channel, Reader } from '../channel/channel.js';
import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import { SLICE_MS } from '../channel/slices.js';

/** How many readers are served between two looks at the clock. */
const READERS_PER_LOOK = 16;

/** Whatever reads on when it is told to. */
export interface Pullable {
  pull(): void;
}

/**
 * Has readers read: those of channels that were appended to, and those that may go on after a
 * pause. Each is served once per turn of the event loop, however many events came, and all of
 * them in slices, however many there are. A reader that is reached later simply reads more at once.
 */
export class FlushQueue {
  private readonly dirty = new Set<Channel>();
  private readonly woken = new Set<Pullable>();
  private current: { channel: Channel; readers: Iterator<Reader> } | undefined;
  private isScheduled = false;
  /** Whether the next reader is one that was woken: they alternate with those of channels. */
  private isWokenNext = false;

  constructor(
    private readonly options: {
      /** Runs a function outside of any request's async context. */
      readonly detach: <R>(run: () => R) => R;
      readonly guard: Guard;
      /** Called once everybody has been served. */
      readonly onIdle: () => void;
    },
  ) {}

  /** Has the readers of a channel read at the end of this turn of the event loop. */
  readonly add = (channel: Channel): void => {
    this.dirty.add(channel);
    this.schedule();
  };

  /** Has one reader read on, in a turn that has time for it. */
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
    // Who is woken while this runs has just been served.
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
    if (this.woken.size > 0) {
      this.schedule();
    } else {
      this.options.onIdle();
    }
  };

  private serve(reader: Pullable): void {
    try {
      reader.pull();
    } catch (error) {
      // The other readers are not to suffer.
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
        this.current = undefined;
      }
      const [channel] = this.dirty;
      if (!channel) {
        return undefined;
      }
      this.dirty.delete(channel);
      this.current = { channel, readers: channel.readers.values() };
    }
  }
}
