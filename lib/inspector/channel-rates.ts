import type { Channel } from '../channel/channel.js';
import { preciseNow } from '../channel/clock.js';

/** Rates are those of the last 3 to 6 seconds. */
const LOOK_MS = 3_000;
/** The shortest time that gives a rate. */
const SHORTEST_MS = 500;

/** How many events each channel had at a moment. */
interface Look {
  /** On the clock of `preciseNow()`. */
  readonly at: number;
  readonly heads: Map<Channel, number>;
}

/** How many events channels receive in a second. Somebody must look at them again and again. */
export class ChannelRates {
  private older: Look | undefined;
  private newer: Look | undefined;

  /** What is to be called for each channel; `undefined` while the last look is young. */
  begin(): ((channel: Channel) => void) | undefined {
    const at = preciseNow();
    if (this.newer && at - this.newer.at < LOOK_MS) {
      return undefined;
    }
    const heads = new Map<Channel, number>();
    this.older = this.newer;
    this.newer = { at, heads };
    return (channel) => void heads.set(channel, channel.log.head);
  }

  /**
   * Tells how many events a channel receives in a second, all by the same moment; 0 before there is a look. A channel
   * that is younger than the look began with no events.
   */
  reader(): (channel: Channel) => number {
    const look = this.older ?? this.newer;
    const passed = look ? preciseNow() - look.at : 0;
    if (!look || passed < SHORTEST_MS) {
      return () => 0;
    }
    return (channel) => {
      const since = channel.log.head - (look.heads.get(channel) ?? 0);
      return Math.round((since / passed) * 1_000_000) / 1_000;
    };
  }

  /** Nobody looks any more. */
  forget(): void {
    this.older = undefined;
    this.newer = undefined;
  }
}
