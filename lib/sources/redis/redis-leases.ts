import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { monotonicNow } from '../../channel/clock.js';
import { settledWithin } from '../../channel/deadline.js';
import type { Lease, Leases } from '../../channel/lease.js';
import { CLAIM_LEASE, RELEASE_LEASE } from './lua/lua.generated.js';
import { callScript, runScripts } from './redis-call.js';
import type { RedisStreams } from './redis-streams.js';

/** How long an instance holds a lease without renewing it. */
export const LEASE_MS = 2_000;
/** How often an instance renews its leases, and asks for leases that others hold. */
export const RENEW_MS = 500;
/** How long an instance may take to give a lease up. If it fails, the lease expires. */
const RELEASE_MS = 300;

class ClaimedLease implements Lease {
  /** When this instance's hold on the lease ends, on the clock of `monotonicNow()`. */
  until = 0;
  unlisten: () => void = () => undefined;
  private wasHeld = false;

  constructor(
    readonly name: string,
    readonly key: string,
    private readonly onChange: () => void,
    readonly release: () => Promise<void>,
  ) {}

  get isHeld(): boolean {
    return monotonicNow() < this.until;
  }

  tellChange(): void {
    const { isHeld } = this;
    if (isHeld !== this.wasHeld) {
      this.wasHeld = isHeld;
      this.onChange();
    }
  }
}

/**
 * Leases that Redis grants: a key with a time to live, whose value is the holder. An instance counts
 * from before it asked, so by its own clock it never holds a lease longer than Redis keeps the key.
 */
export class RedisLeases implements Leases {
  /** A new id with each start of the instance, even in the same process. */
  readonly incarnation = randomBytes(9).toString('base64url');
  private readonly leases = new Set<ClaimedLease>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private timer: NodeJS.Timeout | undefined;
  private renewing: Promise<void> | undefined;
  private isRenewedAgain = false;
  private releasing: Promise<unknown> = Promise.resolve();

  constructor(private readonly streams: RedisStreams) {}

  claim(name: string, onChange: () => void): Lease {
    const lease: ClaimedLease = new ClaimedLease(name, this.keyOf(name), onChange, () =>
      this.release(lease),
    );
    this.leases.add(lease);
    this.timer ??= this.detach(() => setInterval(() => this.renew(), RENEW_MS).unref());
    const renew = () => this.renew();
    // The holder publishes on this channel when it gives the lease up.
    lease.unlisten = this.streams.listen(lease.key, { message: renew, subscribed: renew });
    this.renew();
    return lease;
  }

  keyOf(name: string): string {
    return `${this.streams.settings.prefix}{${name}}:lease`;
  }

  private renew(): void {
    // A lease that was not renewed in time has expired.
    this.leases.forEach((lease) => lease.tellChange());
    if (this.renewing) {
      this.isRenewedAgain = true;
      return;
    }
    this.isRenewedAgain = false;
    this.renewing = this.renewAll([...this.leases])
      // Redis cannot be reached, so the leases expire.
      .catch(() => undefined)
      .finally(() => {
        this.renewing = undefined;
        if (this.isRenewedAgain) {
          this.renew();
        }
      });
  }

  private async renewAll(leases: readonly ClaimedLease[]): Promise<void> {
    // When a lease is released and claimed again at once, its release must come before the claim.
    await this.releasing;
    const askedAt = monotonicNow();
    const args = [this.incarnation, LEASE_MS];
    const replies = await runScripts(
      await this.streams.connection.client(),
      leases.map(({ key }) => ({ script: CLAIM_LEASE, keys: [key], args })),
    );
    leases.forEach((lease, index) => {
      const reply = replies[index]!;
      if ('ok' in reply && this.leases.has(lease)) {
        lease.until = reply.ok === 1 ? askedAt + LEASE_MS : 0;
        lease.tellChange();
      }
    });
  }

  private async release(lease: ClaimedLease): Promise<void> {
    if (!this.leases.delete(lease)) {
      return;
    }
    lease.unlisten();
    lease.until = 0;
    lease.tellChange();
    if (this.leases.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    const givenUp = settledWithin(this.giveUp(lease, this.renewing), RELEASE_MS);
    this.releasing = Promise.all([this.releasing, givenUp]);
    await givenUp;
  }

  private async giveUp({ key }: ClaimedLease, renewing: Promise<void> | undefined): Promise<void> {
    // A renewal under way may still grant the lease.
    await renewing;
    const { connection, server } = this.streams;
    await server.known();
    const args = [this.incarnation, server.publishCommand];
    await callScript(connection, { script: RELEASE_LEASE, keys: [key], args });
  }
}
