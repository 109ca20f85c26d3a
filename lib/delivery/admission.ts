import { channel } from 'node:diagnostics_channel';
import { DIAGNOSTICS, type RefusedMessage } from '../channel/diagnostics.js';

/**
 * Why a client is refused:
 *
 * - `closing`: the application shuts down
 * - `capacity`: `limits.connections` are open
 * - `client-limit`: `limits.connectionsPerClient` of this client are open
 * - `channel-limit`: `limits.connectionsPerChannel` read one of its channels, or `limits.channels` are in use
 */
export const REFUSALS = ['closing', 'capacity', 'client-limit', 'channel-limit'] as const;

export type Refusal = (typeof REFUSALS)[number];

const refused = channel(DIAGNOSTICS.refused);

/** How many connections may be open at the same time. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
}

/** Counts open connections, and requests that will become one. */
export class Admission {
  private readonly perClient = new Map<string, number>();
  private readonly refused: Record<Refusal, number> = {
    closing: 0,
    capacity: 0,
    'client-limit': 0,
    'channel-limit': 0,
  };
  private size = 0;
  private isClosed = false;

  constructor(private readonly limits: AdmissionLimits) {}

  /** How many clients were refused, by reason. */
  get refusals(): Readonly<Record<Refusal, number>> {
    return { ...this.refused };
  }

  /** Counts one more connection of this client, or returns why it is refused. */
  enter(client: string): Refusal | undefined {
    const own = this.perClient.get(client) ?? 0;
    const refusal = this.isClosed
      ? 'closing'
      : own >= this.limits.maxConnectionsPerClient
        ? 'client-limit'
        : this.size >= this.limits.maxConnections
          ? 'capacity'
          : undefined;
    if (refusal) {
      this.refuse(refusal);
    } else {
      this.size++;
      this.perClient.set(client, own + 1);
    }
    return refusal;
  }

  /** Counts a client that is not let in, and tells those who listen. */
  refuse(reason: Refusal): void {
    this.refused[reason]++;
    if (refused.hasSubscribers) {
      refused.publish({ reason } satisfies RefusedMessage);
    }
  }

  /** Counts one connection less of this client. */
  leave(client: string): void {
    this.size--;
    const left = this.perClient.get(client)! - 1;
    if (left === 0) {
      this.perClient.delete(client);
    } else {
      this.perClient.set(client, left);
    }
  }

  /** Refuses every client from now on. */
  close(): void {
    this.isClosed = true;
  }
}
