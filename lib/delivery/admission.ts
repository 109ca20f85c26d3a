/** Why a client is not let in. */
export type Refusal = 'closing' | 'capacity' | 'client-limit';

/** How many may be in at the same time. */
export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
}

/** Counts who is in: open connections, and requests on their way to one. */
export class Admission {
  private readonly perClient = new Map<string, number>();
  private readonly refused: Record<Refusal, number> = {
    closing: 0,
    capacity: 0,
    'client-limit': 0,
  };
  private size = 0;
  private isClosed = false;

  constructor(private readonly limits: AdmissionLimits) {}

  /** Those who were not let in, by reason. */
  get refusals(): Readonly<Record<Refusal, number>> {
    return { ...this.refused };
  }

  /** Counts one more of this client, or says why not. */
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
      this.refused[refusal]++;
    } else {
      this.size++;
      this.perClient.set(client, own + 1);
    }
    return refusal;
  }

  /** Counts one less of this client. */
  leave(client: string): void {
    this.size--;
    const left = this.perClient.get(client)! - 1;
    if (left === 0) {
      this.perClient.delete(client);
    } else {
      this.perClient.set(client, left);
    }
  }

  /** Lets nobody in any more. */
  close(): void {
    this.isClosed = true;
  }
}
