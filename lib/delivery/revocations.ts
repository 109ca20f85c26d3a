import { monotonicNow } from '../channel/clock.js';
import { settledWithin } from '../channel/deadline.js';
import { inSlices } from '../channel/slices.js';
import type { CountedAs } from './client.js';
import { isMeant, type ConnectionFilter } from './connection-filter.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';
import { frameOf } from './frame.js';

/** Which connections end. With several of these, all must hold. */
export interface ConnectionTarget extends ConnectionFilter {
  /** The one with this id. */
  readonly connection?: string | undefined;
}

/** The end of connections, as the application wants it. */
export interface Revocation {
  readonly target: ConnectionTarget;
  /** For how long clients that return are told not to, in milliseconds; 0 for not at all. */
  readonly block: number;
  /** What the application says of it. */
  readonly reason: string | undefined;
  /** How long ago it was decided, in milliseconds. */
  readonly age: number;
}

/**
 * Why a request must not become a stream: nobody knows who is blocked, its client is blocked, or a
 * revocation came after its guards may have decided.
 */
export type RevocationRefusal = 'unknown' | 'blocked' | 'revoked';

/** The revocations of one target, as they concern requests. Times are of `monotonicNow()`. */
interface Noted {
  /** When the last of them was decided. */
  readonly time: number;
  readonly blockedUntil: number;
}

/**
 * For how long after a revocation a request is sent away, to return and be authorised anew: its
 * guards may have decided before, and we do not know when they began.
 */
const GRACE_MS = 1_000;
/** For how long a revocation is remembered, for requests whose handler still works. */
const REMEMBERED_MS = 600_000;
/** How many connections end in one turn without a hold for all. */
const AT_ONCE = 128;
/** The number of targets at which we first look for those that can be forgotten. */
const FIRST_SWEEP = 1_024;

/** The key of the clients of a filter, in the channel of a filter. */
function keyOf({ client, channel }: ConnectionFilter): string {
  return JSON.stringify([client, channel]);
}

/** Ends connections for the application, and keeps their clients from coming back. */
export class Revocations {
  /** Continue the requests that wait until it is known who is blocked; `undefined` once it is. */
  private waiting: Set<() => void> | undefined;
  /** By the key of their target: a request looks up its own, however many there are. */
  private readonly noted = new Map<string, Noted>();
  private sweepAt = FIRST_SWEEP;
  /** Requests that began before this may miss a revocation that was forgotten. */
  private forgotten = -Infinity;

  constructor(
    private readonly connections: Connections,
    /** The reconnection time of clients, in milliseconds. */
    private readonly retry: number,
  ) {}

  /** Whether it is known who is blocked. */
  get areKnown(): boolean {
    return this.waiting === undefined;
  }

  /** From now on it is unknown who is blocked. */
  areUnknown(): void {
    this.waiting = new Set();
  }

  areKnownNow(): void {
    this.waitNoMore();
    this.waiting = undefined;
  }

  waitNoMore(): void {
    this.waiting?.forEach((goOn) => goOn());
  }

  /** Waits until it is known who is blocked, but no longer than `timeout` milliseconds. */
  async whenKnown(timeout: number): Promise<void> {
    const { waiting } = this;
    if (waiting) {
      let goOn!: () => void;
      await settledWithin(new Promise<void>((resolve) => waiting.add((goOn = resolve))), timeout);
      // It may stay unknown for hours, in which many come and are sent away.
      waiting.delete(goOn);
    }
  }

  /** Ends the connections that are meant, at once. */
  revoke({ target, block, reason, age }: Revocation): void {
    const { connection: id, ...filter } = target;
    if (id === undefined) {
      const time = monotonicNow() - age;
      this.note(keyOf(filter), { time, blockedUntil: time + block });
    }
    const number = id === undefined ? undefined : (this.connections.views.numberOf(id) ?? NaN);
    const meant: Connection[] = [];
    for (const [connection, counted] of this.connections) {
      if (
        (number === undefined || connection.number === number) &&
        isMeant(filter, counted, () => connection.channels)
      ) {
        meant.push(connection);
      }
    }
    this.end(meant, reason);
  }

  /** Ends every connection: nobody knows which of them were to end. Their clients may return. */
  revokeAll(reason: string): void {
    this.revoke({ target: {}, block: 0, reason, age: 0 });
  }

  /**
   * Why a request must not become a stream.
   *
   * @param channels those of the request; none while they are unknown
   * @param since when the request began, on the clock of `monotonicNow()`
   */
  refusalOf(
    counted: CountedAs,
    channels: readonly string[],
    since: number,
  ): RevocationRefusal | undefined {
    if (!this.areKnown) {
      return 'unknown';
    }
    if (this.noted.size === 0 && since > this.forgotten) {
      return undefined;
    }
    const now = monotonicNow();
    let refusal: 'revoked' | undefined = since <= this.forgotten ? 'revoked' : undefined;
    for (const { time, blockedUntil } of this.notedFor(counted, channels)) {
      if (now < blockedUntil) {
        return 'blocked';
      }
      if (since <= time || now < time + GRACE_MS) {
        refusal = 'revoked';
      }
    }
    return refusal;
  }

  /** Whether a client is kept from a channel for a time. */
  isBlocked(counted: CountedAs, channel: string): boolean {
    if (this.noted.size === 0) {
      return false;
    }
    const now = monotonicNow();
    return [...this.notedFor(counted, [channel])].some(({ blockedUntil }) => now < blockedUntil);
  }

  /** A random time after which a client may return and be authorised anew, in milliseconds. */
  get returnTime(): number {
    return GRACE_MS + Math.round(Math.random() * this.retry);
  }

  /** Ends these connections, whose clients may return. */
  end(meant: readonly Connection[], reason: string | undefined): void {
    const { connections } = this;
    const endOne = (connection: Connection): void => {
      if (connection.endReason !== undefined) {
        return;
      }
      if (reason !== undefined) {
        connections.details.set(connection, reason);
      }
      connection.revoke(frameOf({ retry: this.returnTime }));
    };
    if (meant.length <= AT_ONCE) {
      meant.forEach(endOne);
      return;
    }
    // Nobody receives anything before the last of them has ended.
    connections.hold.begin();
    void inSlices(meant, endOne).finally(() => connections.hold.end());
  }

  private *notedFor(counted: CountedAs, channels: readonly string[]): Iterable<Noted> {
    const clients = typeof counted === 'string' ? [undefined] : [undefined, counted.id];
    for (const client of clients) {
      for (const channel of [undefined, ...channels]) {
        const noted = this.noted.get(keyOf({ client, channel }));
        if (noted) {
          yield noted;
        }
      }
    }
  }

  private note(key: string, { time, blockedUntil }: Noted): void {
    const earlier = this.noted.get(key) ?? { time, blockedUntil };
    this.noted.set(key, {
      time: Math.max(time, earlier.time),
      blockedUntil: Math.max(blockedUntil, earlier.blockedUntil),
    });
    if (this.noted.size >= this.sweepAt) {
      this.sweep();
    }
  }

  private sweep(): void {
    const now = monotonicNow();
    for (const [key, { time, blockedUntil }] of this.noted) {
      if (now >= blockedUntil && now - time > REMEMBERED_MS) {
        this.noted.delete(key);
        this.forgotten = Math.max(this.forgotten, time);
      }
    }
    // Looking again only at twice as many keeps the cost of each constant.
    this.sweepAt = Math.max(FIRST_SWEEP, this.noted.size * 2);
  }
}
