/** One instance's part in electing who polls a key. */
export interface Candidacy {
  /** What one instance is elected for. */
  readonly name: string;
  /** Whether this instance was elected. */
  readonly isElected: boolean;
  /** Whether that holds at this moment. It is asked before each poll, as a process may have been frozen. */
  readonly mayPoll: boolean;
  /** This instance need not poll any more. If it was elected, another one takes over at once. */
  withdraw(): void;
}

/** Has one of several instances that read a key poll it for all of them. */
export interface PollerElection {
  /**
   * Stands for election. The name is the same on all instances that may poll in place of each
   * other, and has one candidacy in each of them.
   *
   * @param onChange called whenever `isElected` changes, and when what had lapsed holds again,
   * so that the key is to be polled at once
   */
  stand(name: string, onChange: () => void): Candidacy;
  /** Hands over to the other instances. */
  stop(): Promise<void>;
}
