import { setImmediate } from 'node:timers/promises';
import { monotonicNow } from '../channel/clock.js';
import { Connection } from './connection.js';
import { frameOf } from './frame.js';
import type { Response } from './response-writer.js';
import { Rounds } from './rounds.js';

/** How connections live and end. Durations in milliseconds. */
export interface ConnectionOptions {
  /** The reconnection time that clients are told; 3,000 by default. */
  readonly retry: number;
  /** How long a connection may be silent before a comment is written; 0 for never. */
  readonly heartbeat: number;
  /** How long a client may not read before it is given up; 0 for ever. */
  readonly stallTimeout: number;
  /** How old a connection may get, randomised down to 80 %; 0 for any age. */
  readonly maxAge: number;
  /** In which time clients are sent back at shutdown, and how long it waits for slow ones. */
  readonly drainTimeout: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
}

/** Why a connection is not let in. */
export type Refusal = 'closing' | 'capacity' | 'client-limit';

/** `setTimeout` fires at once for anything larger. */
const MAX_DELAY_MS = 2 ** 31 - 1;
/** Clients that are sent away for lack of room return after 1 to 4 times this. */
const CAPACITY_RETRY_MS = 15_000;
/** How often stalled connections are looked for, at the least. */
const MAX_STALL_CHECK_MS = 5_000;

/** All open connections: who is let in, who is still there, and how they are sent away. */
export class Connections {
  private readonly open = new Map<Connection, string>();
  private readonly perClient = new Map<string, number>();
  private readonly heartbeats: Rounds<Connection> | undefined;
  private readonly stallCheck: NodeJS.Timeout | undefined;
  private readonly refused: Record<Refusal, number> = {
    closing: 0,
    capacity: 0,
    'client-limit': 0,
  };
  private stalledCount = 0;
  private isClosing = false;
  private onEmpty: (() => void) | undefined;

  constructor(
    private readonly options: ConnectionOptions,
    /** Runs a function outside of any request's async context. */
    private readonly detach: <R>(run: () => R) => R,
  ) {
    const { heartbeat, stallTimeout } = options;
    if (heartbeat > 0) {
      this.heartbeats = new Rounds(heartbeat, (connection) => connection.beat());
    }
    if (stallTimeout > 0) {
      const period = Math.min(stallTimeout / 4, MAX_STALL_CHECK_MS);
      this.stallCheck = detach(() => setInterval(this.destroyStalled, period));
      this.stallCheck.unref();
    }
  }

  get size(): number {
    return this.open.size;
  }

  /** Connections by the reason they were not let in, and those that were given up. */
  get counts(): Readonly<Record<Refusal, number>> & { readonly stalled: number } {
    return { ...this.refused, stalled: this.stalledCount };
  }

  /** Says whether one more connection of this client is let in; counts it when not. */
  refusal(client: string): Refusal | undefined {
    const refusal = this.isClosing
      ? 'closing'
      : (this.perClient.get(client) ?? 0) >= this.options.maxConnectionsPerClient
        ? 'client-limit'
        : this.open.size >= this.options.maxConnections
          ? 'capacity'
          : undefined;
    if (refusal) {
      this.refused[refusal]++;
    }
    return refusal;
  }

  /** Takes a response in, whose head and opening frame have been written. */
  add(response: Response, client: string, expiresAt: number | undefined): Connection {
    const connection = new Connection(response, this.remove);
    this.open.set(connection, client);
    this.perClient.set(client, (this.perClient.get(client) ?? 0) + 1);
    this.detach(() => {
      this.heartbeats?.add(connection);
      this.limitAge(connection, expiresAt);
    });
    return connection;
  }

  /** The frame that sends a client away for lack of room, to return at a random later time. */
  get awayFrame(): string {
    return frameOf({ retry: Math.round(CAPACITY_RETRY_MS * (1 + 3 * Math.random())) });
  }

  /** Lets nobody in any more, ends every connection, and waits until they are closed. */
  async drain(): Promise<void> {
    this.isClosing = true;
    clearInterval(this.stallCheck);
    for (const connection of this.open.keys()) {
      connection.end(this.returnFrame);
    }
    if (this.open.size > 0) {
      await this.whenEmpty(this.options.drainTimeout);
    }
    if (this.open.size > 0) {
      for (const connection of this.open.keys()) {
        connection.destroy();
      }
      await this.whenEmpty(this.options.drainTimeout);
    }
    // The server only counts the ended responses' sockets as idle after this turn.
    await setImmediate();
  }

  /** Asks a client to return at a moment of its own within the drain timeout. */
  private get returnFrame(): string {
    const { retry, drainTimeout } = this.options;
    return frameOf({ retry: Math.round(Math.random() * Math.max(drainTimeout, retry)) });
  }

  private limitAge(connection: Connection, expiresAt: number | undefined): void {
    const { maxAge, retry } = this.options;
    const delay = shortest(
      maxAge === 0 ? 0 : maxAge * (0.8 + 0.2 * Math.random()),
      expiresAt === undefined ? 0 : Math.max(1, expiresAt - Date.now()),
    );
    if (delay > 0) {
      connection.endAfter(Math.min(delay, MAX_DELAY_MS), () =>
        frameOf({ retry: Math.round(Math.random() * retry) }),
      );
    }
  }

  private readonly destroyStalled = (): void => {
    const now = monotonicNow();
    for (const connection of this.open.keys()) {
      if (connection.destroyIfStalled(this.options.stallTimeout, now)) {
        this.stalledCount++;
      }
    }
  };

  private readonly remove = (connection: Connection): void => {
    const client = this.open.get(connection);
    if (client === undefined) {
      return;
    }
    this.open.delete(connection);
    this.heartbeats?.delete(connection);
    const left = this.perClient.get(client)! - 1;
    if (left === 0) {
      this.perClient.delete(client);
    } else {
      this.perClient.set(client, left);
    }
    if (this.open.size === 0) {
      this.onEmpty?.();
    }
  };

  private whenEmpty(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout);
      this.onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** The shortest of the durations that are not 0; 0 when all are. */
function shortest(...durations: number[]): number {
  const set = durations.filter((duration) => duration > 0);
  return set.length === 0 ? 0 : Math.min(...set);
}
