import { channel as diagnosticsChannel } from 'node:diagnostics_channel';
import type { Channel } from '../channel/channel.js';
import { preciseNow } from '../channel/clock.js';
import { DIAGNOSTICS, type DeliveredEvent, type DeliveryMessage } from '../channel/diagnostics.js';

const delivered = diagnosticsChannel(DIAGNOSTICS.delivery);

/** How many events a channel got since its readers were served, and since when. */
interface Due {
  count: number;
  readonly since: number;
}

/** What is being delivered: the events of a channel up to a number. */
export interface WatchedDelivery extends Due {
  readonly to: number;
}

/** Tells of the events that readers are served with, while anybody follows that. */
export class DeliveryWatch {
  private readonly due = new Map<Channel, Due>();

  get isOn(): boolean {
    return delivered.hasSubscribers;
  }

  /** A channel got events. Called while somebody follows. */
  appended(channel: Channel, count: number): void {
    const due = this.due.get(channel);
    if (due) {
      due.count += count;
    } else {
      this.due.set(channel, { count, since: preciseNow() });
    }
  }

  /** The readers of a channel are about to be served. */
  begin(channel: Channel): WatchedDelivery | undefined {
    const due = this.due.size > 0 ? this.due.get(channel) : undefined;
    this.due.delete(channel);
    return due && { ...due, to: channel.log.head };
  }

  /** They have been served. */
  end({ name, log, readers }: Channel, { count, since, to }: WatchedDelivery): void {
    const events: DeliveredEvent[] = [];
    for (let seq = Math.max(log.first, to - count + 1); seq <= to; seq++) {
      const { id, position, type } = log.at(seq);
      events.push({ id, position, type });
    }
    const duration = preciseNow() - since;
    const message: DeliveryMessage = { channel: name, events, readers: readers.size, duration };
    delivered.publish(message);
  }
}
