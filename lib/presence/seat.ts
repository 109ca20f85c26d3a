import type { PresenceSeat } from '../channel/presence.js';
import { monotonicNow } from '../channel/clock.js';
import { SmallMap } from '../channel/small-map.js';
import type { Client } from '../delivery/client.js';

/** The seats of this instance in one channel, by client; those without a client together. */
export class Room extends SmallMap<string | undefined, Seat> {
  constructor(readonly channel: string) {
    super();
  }
}

/** One client's connections of this instance in one channel. There may be very many. */
export class Seat implements PresenceSeat {
  /** How many connections are open. */
  count = 0;
  /** What was put last. */
  connections = 0;
  revision = 0;
  /** Whole milliseconds on the clock of `monotonicNow()`, as a small number takes no memory. */
  private readonly began = Math.round(monotonicNow());

  constructor(
    readonly room: Room,
    /** Who it is, as the newest connection that is open tells it. */
    public who: Client | undefined,
    /** Whether one of its connections, since it is present, wants its channel to tell of it. */
    public isAnnounced: boolean,
  ) {}

  get channel(): string {
    return this.room.channel;
  }

  get client(): string | undefined {
    return this.who?.id;
  }

  get info(): string | undefined {
    return this.who?.info;
  }

  get since(): number {
    return Math.round(performance.timeOrigin + this.began);
  }
}
