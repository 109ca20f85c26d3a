import type { Channel } from '../channel/channel.js';
import { preciseNow } from '../channel/clock.js';

/** Rates are those of the last 3 to 6 seconds. */
const LOOK_MS = 3_000;

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

  /** Events in a second; 0 before there are two looks. A channel that is younger than the looks began with none. */
  of(channel: Channel): number {
    const look = this.older ?? this.newer;
    const passed = look ? preciseNow() - look.at : 0;
    if (passed < 500) {
      return 0;
    }
    const since = channel.log.head - (look!.heads.get(channel) ?? 0);
    return Math.round((since / passed) * 1_000_000) / 1_000;
  }

  /** Nobody looks any more. */
  forget(): void {
    this.older = undefined;
    this.newer = undefined;
  }
}
