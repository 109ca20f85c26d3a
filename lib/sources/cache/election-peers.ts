import { monotonicNow } from '../../channel/clock.js';
/** An instance, and how often it had beaten when that was seen first. */
interface Peer {
  readonly id: string;
  readonly beats: string;
  readonly since: number;
}

/**
 * Sees which other instances have stopped beating. Time is measured here only, by one clock that
 * never jumps, and so that an instance whose lease has not run out by its own clock is never
 * taken for dead: from after it was seen to have beaten to before it is seen not to have.
 */
export class ElectionPeers {
  private peers = new Map<string, Peer>();

  /** @param lease how long an instance may not beat, in milliseconds */
  constructor(private readonly lease: number) {}

  /**
   * Takes over how often each instance has beaten.
   *
   * @param askedAt when that was asked for, on the clock of `monotonicNow()`
   * @returns those that have not beaten for longer than the lease
   */
  update(instances: ReadonlyMap<string, string>, askedAt: number): readonly Peer[] {
    const now = monotonicNow();
    const before = this.peers;
    this.peers = new Map();
    const dead: Peer[] = [];
    for (const [id, beats] of instances) {
      const known = before.get(id);
      const peer = known?.beats === beats ? known : { id, beats, since: now };
      this.peers.set(id, peer);
      if (askedAt - peer.since > this.lease) {
        dead.push(peer);
      }
    }
    return dead;
  }
}
