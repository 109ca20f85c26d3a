/**
 * A right that one instance holds for as long as it shows that it lives, such as the right to poll
 * a key for all instances. When the holder dies, another instance takes the lease.
 */
export interface Lease {
  /** The right's name. Instances that give the same name compete for the lease. */
  readonly name: string;
  /**
   * Whether this instance holds the lease at this moment. Read it before each use: a process that
   * was frozen may have lost its lease without `onChange` being called.
   */
  readonly isHeld: boolean;
  /**
   * Gives the lease up, or ends the attempts to get it. Another instance may take it at once.
   * Never rejects.
   */
  release(): Promise<void>;
}

/** A system that grants leases, such as Redis or Postgres. */
export interface Leases {
  /**
   * Asks for a lease, and goes on asking until it is released.
   *
   * @param onChange called whenever `isHeld` has changed; it returns at once
   */
  claim(name: string, onChange: () => void): Lease;
}
