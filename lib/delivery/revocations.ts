import { monotonicNow } from '../channel/clock.js';
import { settledWithin } from '../channel/deadline.js';
import { inSlices } from '../channel/slices.js';
import type { CountedAs } from './client.js';
import { isMeant, type ConnectionFilter } from './connection-filter.js';
import type { Connection } from './connection.js';
import type { Connections } from './connections.js';
import { endFrame } from './end-frame.js';
import { frameOf } from './frame.js';
import { NotedRevocations } from './noted-revocations.js';

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

/**
 * For how long after a revocation a request is sent away, to return and be authorised anew: its
 * guards may have decided before, and we do not know when they began.
 */
const GRACE_MS = 1_000;
/** How many connections end in one turn without a hold for all. */
const AT_ONCE = 128;
/** Ends connections for the application, and keeps their clients from coming back. */
export class Revocations {
  /** Continue the requests that wait until it is known who is blocked; `undefined` once it is. */
  private waiting: Set<() => void> | undefined;
  private readonly noted = new NotedRevocations();
  /** The connections that the application has ended, each with the channel that it was about, if any. */
  private readonly meant = new WeakMap<Connection, string | undefined>();
  /** Called after the connections have ended that were meant. */
  onRevoked: ((meant: ConnectionFilter) => void) | undefined;

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
      this.noted.add(filter, { time, blockedUntil: time + block });
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
    this.end(meant, reason, filter.channel);
    if (id === undefined) {
      this.onRevoked?.(filter);
    }
  }

  /** Ends every connection: nobody knows which of them were to end. Their clients may return. */
  revokeAll(reason: string): void {
    this.noted.add({}, { time: monotonicNow(), blockedUntil: -Infinity });
    this.endEach(
      Array.from(this.connections, ([connection]) => connection),
      reason,
      (retry) => frameOf({ retry }),
    );
  }

  /** Whether the application has ended this connection because of this channel, among others. */
  haveMeant(connection: Connection, channel: string): boolean {
    return this.meant.has(connection) && (this.meant.get(connection) ?? channel) === channel;
  }

  /**
   * Why a request must not become a stream.
   *
   * @param request the request's channels; `undefined` while they are unknown
   * @param since when the request began, on the clock of `monotonicNow()`
   */
  refusalOf(
    counted: CountedAs,
    request: { readonly channels: readonly string[] } | undefined,
    since: number,
  ): RevocationRefusal | undefined {
    if (!this.areKnown) {
      return 'unknown';
    }
    if (this.noted.areNone && since > this.noted.forgotten) {
      return undefined;
    }
    const now = monotonicNow();
    let refusal: 'revoked' | undefined = since <= this.noted.forgotten ? 'revoked' : undefined;
    for (const { time, blockedUntil } of this.noted.for(counted, request?.channels ?? [])) {
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
    if (this.noted.areNone) {
      return false;
    }
    const now = monotonicNow();
    return [...this.noted.for(counted, [channel])].some(({ blockedUntil }) => now < blockedUntil);
  }

  /** A random time after which a client may return and be authorised anew, in milliseconds. */
  get returnTime(): number {
    return GRACE_MS + Math.round(Math.random() * this.retry);
  }

  /**
   * Ends these connections, whose clients may return.
   * @param channel the one that they must not read any more. Default: all of theirs
   */
  end(meant: readonly Connection[], reason: string | undefined, channel?: string): void {
    meant.forEach((connection) => this.meant.set(connection, channel));
    this.endEach(meant, reason, (retry) => endFrame('revoked', retry));
  }

  private endEach(
    meant: readonly Connection[],
    reason: string | undefined,
    frame: (retry: number) => string,
  ): void {
    const { connections } = this;
    const endOne = (connection: Connection): void => {
      if (connection.endReason !== undefined) {
        return;
      }
      if (reason !== undefined) {
        connections.details.set(connection, reason);
      }
      connection.revoke(frame(this.returnTime));
    };
    if (meant.length <= AT_ONCE) {
      meant.forEach(endOne);
      return;
    }
    // Nobody receives anything before the last of them has ended.
    connections.hold.begin();
    void inSlices(meant, endOne).finally(() => connections.hold.end());
  }
}
