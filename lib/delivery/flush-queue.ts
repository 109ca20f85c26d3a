import type { Channel, Reader } from '../channel/channel.js';
import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';

/** How long a flush may hold the event loop, in milliseconds. */
const SLICE_MS = 10;
/** How many readers are served between two looks at the clock. */
const READERS_PER_LOOK = 32;

/**
 * Wakes the readers of channels that were appended to: once per turn of the event
 * loop, however many events came, and in slices, however many readers there are.
 * A reader that is reached later simply reads more at once.
 */
export class FlushQueue {
  private readonly dirty = new Set<Channel>();
  private current: { channel: Channel; readers: Iterator<Reader> } | undefined;
  private isScheduled = false;

  constructor(
    private readonly options: {
      /** Runs a function outside of any request's async context. */
      readonly detach: <R>(run: () => R) => R;
      readonly guard: Guard;
      /** Called once all readers of a channel have been served. */
      readonly onFlushed: (channel: Channel) => void;
    },
  ) {}

  /** Has the readers of a channel woken at the end of this turn of the event loop. */
  readonly add = (channel: Channel): void => {
    this.dirty.add(channel);
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
    let served = 0;
    for (;;) {
      const reader = this.nextReader();
      if (!reader) {
        return;
      }
      try {
        reader.pull();
      } catch (error) {
        // The other readers of the channel are not to suffer.
        this.options.guard.report('The delivery to a client', error);
      }
      if (++served % READERS_PER_LOOK === 0 && monotonicNow() > until) {
        this.schedule();
        return;
      }
    }
  };

  private nextReader(): Reader | undefined {
    for (;;) {
      if (this.current) {
        const { value } = this.current.readers.next();
        if (value) {
          return value;
        }
        const { channel } = this.current;
        this.current = undefined;
        if (!this.dirty.has(channel)) {
          this.options.onFlushed(channel);
        }
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
