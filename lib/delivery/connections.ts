import { setImmediate } from 'node:timers/promises';
import { monotonicNow } from '../channel/clock.js';
import { settledWithin } from '../channel/deadline.js';
import type { Guard } from '../channel/guard.js';
import type { Histogram } from '../channel/histogram.js';
import { inSlices } from '../channel/slices.js';
import type { Tally } from '../channel/tally.js';
import { Admission, type Refusal } from './admission.js';
import { ageLimit } from './age-limit.js';
import { Arrivals, type Arrival } from './arrivals.js';
import { countedKey, type CountedAs } from './client.js';
import { closedEvent, ConnectionEvents } from './connection-events.js';
import { Connection, type ConnectionOwner } from './connection.js';
import {
  CAPACITY_RETRY_MS,
  MAX_AUDIT_PERIOD_MS,
  type ConnectionOptions,
  type ConnectionServices,
} from './connection-options.js';
import type { EndReason } from './end-reason.js';
import { endFrame } from './end-frame.js';
import { Hold } from './hold.js';
import type { Response } from './response-writer.js';
import { ConnectionViews } from './sse-connection.js';
import { Walk } from './walk.js';

/** Admits clients, keeps their connections, and ends them. */
export class Connections implements ConnectionOwner {
  private readonly admission: Admission;
  private readonly arrivals: Arrivals;
  /** Open connections, each with the client that it counts for. */
  private readonly open = new Map<Connection, CountedAs>();
  /** How many connections there were so far. */
  count = 0;
  /** How applications see the connections. */
  readonly views = new ConnectionViews();
  private readonly heartbeats: Walk<Connection> | undefined;
  private readonly audit: Walk<Connection>;
  /** Tells of connections that open and close. */
  readonly events: ConnectionEvents;
  /** What the application has said of the end of a connection. */
  readonly details = new WeakMap<Connection, string>();
  /** Keeps events from all clients, while it is unknown who may have them. */
  readonly hold = new Hold(() => void inSlices(this.open.keys(), (each) => each.goOn()));
  onEnded: ((connection: Connection, counted: CountedAs) => void) | undefined;
  readonly guard: Guard;
  readonly wake: (connection: { pull(): void }) => void;
  private readonly detach: <R>(run: () => R) => R;
  /** Connections that have ended, by reason. */
  readonly ends = new Map<EndReason, number>();
  /** Connections whose clients do not read at the moment, the longest first. */
  readonly slow = new Set<Connection>();
  readonly tally: Tally;
  /** For how long connections were open, in seconds. */
  private readonly duration: Histogram;
  private isClosing = false;
  private onEmpty: (() => void) | undefined;

  constructor(
    private readonly options: ConnectionOptions,
    services: ConnectionServices,
  ) {
    this.guard = services.guard;
    this.detach = services.detach;
    this.wake = services.wake;
    this.tally = services.tally;
    this.duration = this.tally.connectionTimes.of();
    this.events = new ConnectionEvents(this.guard, this.detach);
    const { heartbeat } = options;
    const stallTimeout = options.stallTimeout || Infinity;
    const period = Math.min(stallTimeout / 4, MAX_AUDIT_PERIOD_MS);
    this.admission = new Admission(options);
    this.arrivals = new Arrivals(period, this.detach);
    this.audit = new Walk(this.open, period, (each) => each.audit(stallTimeout), this.detach);
    if (heartbeat > 0) {
      this.heartbeats = new Walk(this.open, heartbeat, (each) => each.beat(), this.detach);
    }
  }

  /** How many streams are open. */
  get size(): number {
    return this.open.size;
  }

  /** How many requests wait for their streams. */
  get opening(): number {
    return this.arrivals.size;
  }

  /** Counts refused clients by reason, and connections that ended because the client stalled. */
  get counts(): Readonly<Record<Refusal, number>> & { readonly stalled: number } {
    return { ...this.admission.refusals, stalled: this.ends.get('stalled') ?? 0 };
  }

  /**
   * Notes a request without a place, so that shutdown can send it away. Returns false when this
   * has sent it away because of a shutdown. The caller must dismiss the request later.
   */
  meet(arrival: Arrival): boolean {
    if (this.isClosing) {
      arrival.sendAway(this.returnTime);
      return false;
    }
    this.arrivals.add(arrival);
    return true;
  }

  /** Gives a request a place until it is dismissed or its connection ends; or returns a refusal. */
  admit(arrival: Arrival, client: CountedAs): Refusal | undefined {
    if (this.arrivals.hasPlace(arrival)) {
      return undefined;
    }
    const refusal = this.admission.enter(countedKey(client));
    if (!refusal) {
      this.arrivals.add(arrival, client);
    }
    return refusal;
  }

  /** Counts a client for whom a channel has no room. Returns after how many ms it may come again. */
  refuseChannel(): number {
    this.admission.refuse('channel-limit');
    return this.awayTime;
  }

  /** Forgets a request and takes its place back, unless it has become a connection. */
  dismiss(arrival: Arrival): void {
    this.leave(this.arrivals.take(arrival));
  }

  /**
   * Makes a connection of an admitted request. The caller must have written the head and the
   * opening frame of the response.
   *
   * @param Kind the class of the connection
   */
  add(arrival: Arrival, response: Response, expiresAt?: number, Kind = Connection): Connection {
    const client = this.arrivals.take(arrival)!;
    const connection = new Kind(response, this, ++this.count);
    this.open.set(connection, client);
    this.audit.start();
    this.heartbeats?.start();
    this.limitAge(connection, expiresAt);
    if (this.isClosing) {
      connection.end(this.lastFrame, 'shutdown');
    }
    return connection;
  }

  onOpened(connection: Connection): void {
    if (this.events.areHeard) {
      const shown = this.views.of(connection, this.open.get(connection)!);
      this.events.tell({ type: 'opened', connection: shown });
    }
  }

  onEnding = (connection: Connection) => this.onEnded?.(connection, this.open.get(connection)!);

  onClosed(connection: Connection): void {
    const client = this.open.get(connection)!;
    this.open.delete(connection);
    const reason = connection.endReason!;
    this.ends.set(reason, (this.ends.get(reason) ?? 0) + 1);
    this.duration.record((monotonicNow() - connection.openedAt) / 1_000);
    if (this.events.areHeard) {
      const detail = this.details.get(connection);
      this.events.tell(closedEvent(connection, this.views.of(connection, client), detail));
    }
    if (this.open.size === 0) {
      this.audit.stop();
      this.heartbeats?.stop();
    }
    this.leave(client);
  }

  /** The open connections, in the order in which they were opened, each with whom it counts for. */
  *[Symbol.iterator](): IterableIterator<readonly [Connection, CountedAs]> {
    for (const entry of this.open) {
      if (entry[0].endReason === undefined) {
        yield entry;
      }
    }
  }

  /**
   * A random time after which a client that is not let in returns, in milliseconds: some time where there is no
   * room, and soon where the application shuts down, as another instance or the next process is there then.
   */
  get awayTime(): number {
    return this.isClosing ? this.returnTime : CAPACITY_RETRY_MS * (1 + 3 * Math.random());
  }

  /**
   * Admits no more clients, ends every connection, and waits until the clients are gone, but no
   * longer than the drain timeout.
   */
  async drain(): Promise<void> {
    this.isClosing = true;
    this.admission.close();
    const until = monotonicNow() + this.options.drainTimeout;
    await inSlices(this.arrivals, (arrival) => arrival.sendAway(this.returnTime));
    await inSlices(this.open.keys(), (connection) => connection.end(this.lastFrame, 'shutdown'));
    await this.whenEmpty(until - monotonicNow());
    await inSlices(this.arrivals, (arrival) => {
      arrival.destroy();
      this.dismiss(arrival);
    });
    await inSlices(this.open.keys(), (connection) => connection.destroy('shutdown'));
    await this.events.end();
    // The server only counts the ended responses' sockets as idle after this turn.
    await setImmediate();
  }

  /** A random time after which a client returns: within the drain timeout, or `retry` if that is 0. */
  private get returnTime(): number {
    const { retry, drainTimeout } = this.options;
    return Math.round(Math.random() * (drainTimeout || retry));
  }

  private get lastFrame(): string {
    return endFrame('shutdown', this.returnTime);
  }

  private limitAge(connection: Connection, expiresAt: number | undefined): void {
    const { maxAge, retry } = this.options;
    const limit = ageLimit(maxAge, expiresAt);
    if (limit) {
      const lastFrame = (): string => endFrame(limit.reason, Math.round(Math.random() * retry));
      this.detach(() => connection.endAfter(limit.delay, limit.reason, lastFrame));
    }
  }

  private leave(client: CountedAs | undefined): void {
    if (client !== undefined) {
      this.admission.leave(countedKey(client));
    }
    if (this.open.size === 0 && this.arrivals.size === 0) {
      this.onEmpty?.();
    }
  }

  private async whenEmpty(timeout: number): Promise<void> {
    if (this.open.size > 0 || this.arrivals.size > 0) {
      await settledWithin(new Promise<void>((resolve) => (this.onEmpty = resolve)), timeout);
    }
  }
}
