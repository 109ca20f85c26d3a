/**
 * A right that one instance holds for as long as it shows that it lives, such as the right to poll
 * a key for all instances. Once it dies, another instance takes the lease.
 */
export interface Lease {
  /** What the lease is for: the same name on all instances that may hold it in place of each other. */
  readonly name: string;
  /**
   * Whether this instance holds the lease at this moment. Read it before each use: a process that
   * was frozen has lost its lease and was not told.
   */
  readonly isHeld: boolean;
  /**
   * Gives the lease up, or ends the attempts to get it. Another instance may take it at once.
   * Resolves in any case.
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
