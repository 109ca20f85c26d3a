import type { Channel } from '../channel/channel.js';
import { preciseNow } from '../channel/clock.js';

/** Rates are those of the last 3 to 6 seconds. */
const LOOK_MS = 3_000;
/** The shortest time that gives a rate. */
const SHORTEST_MS = 500;

/** How many events a channel had at the last two looks. */
interface Heads {
  older: number;
  newer: number;
}

/** How many events channels receive in a second. Somebody must look at them again and again. */
export class ChannelRates {
  /** Channels that were open at a look: they are noted anew only when they are new, as there may be many. */
  private readonly heads = new Map<Channel, Heads>();
  /** When the looks were, on the clock of `preciseNow()`. */
  private older: number | undefined;
  private newer: number | undefined;

  /** What is to be called for each channel; `undefined` while the last look is young. */
  begin(): ((channel: Channel) => void) | undefined {
    const now = preciseNow();
    if (this.newer !== undefined && now - this.newer < LOOK_MS) {
      return undefined;
    }
    this.older = this.newer;
    this.newer = now;
    return (channel) => {
      const known = this.heads.get(channel);
      if (known) {
        known.older = known.newer;
        known.newer = channel.log.head;
      } else {
        this.heads.set(channel, { older: 0, newer: channel.log.head });
      }
    };
  }

  /** Forgets channels that are closed, once there are as many of them as others. */
  *closed(open: number, isOpen: (channel: Channel) => boolean): Iterable<Channel> {
    if (this.heads.size > 2 * open) {
      for (const channel of this.heads.keys()) {
        if (!isOpen(channel)) {
          this.heads.delete(channel);
        }
        yield channel;
      }
    }
  }

  /**
   * Tells how many events a channel receives in a second, all by the same moment; 0 before there is a look. A channel
   * that is younger than the look began with no events.
   */
  reader(): (channel: Channel) => number {
    const which = this.older === undefined ? 'newer' : 'older';
    const look = this[which];
    const passed = look === undefined ? 0 : preciseNow() - look;
    if (passed < SHORTEST_MS) {
      return () => 0;
    }
    return (channel) => {
      const since = channel.log.head - (this.heads.get(channel)?.[which] ?? 0);
      return Math.round((since / passed) * 1_000_000) / 1_000;
    };
  }

  /** Nobody looks any more. */
  forget(): void {
    this.heads.clear();
    this.older = undefined;
    this.newer = undefined;
  }
}
