import type { Candidacy, PollerElection } from './poller-election.js';

/**
 * How long an instance that was not elected waits for the one that was, in milliseconds, before
 * it takes what `sendKey` has sent.
 */
const STAND_IN_AFTER_MS = 250;

/**
 * This instance's part in polling one key: it polls, or leaves that to the one that was elected,
 * and stands in once for an elected one that does not poll.
 */
export class PollerRole {
  /** Set while one of several instances is to be elected to poll the key. */
  private candidacy: Candidacy | undefined;
  /** Polls once in place of the elected instance, which has not. */
  private standsIn = false;
  private standIn: NodeJS.Timeout | undefined;
  /** Counts what has come from the instances that take the key. */
  private arrived = 0;

  /**
   * @param onElection `polls` may have changed, and the key is to be polled at once
   * @param onStandIn `polls` may have changed, as a wait for the elected instance is over
   */
  constructor(
    private readonly election: PollerElection | undefined,
    private readonly onElection: () => void,
    private readonly onStandIn: () => void,
  ) {}

  /** Whether it is this instance that polls the key. */
  get polls(): boolean {
    return this.candidacy?.isElected !== false || this.standsIn;
  }

  /** Whether that holds at this moment. It is asked before each poll, as an election may lapse. */
  get mayPoll(): boolean {
    return this.candidacy?.mayPoll !== false || this.standsIn;
  }

  /** Stands for election, or no longer when there is no name, and each instance polls. */
  stand(name: string | undefined): void {
    if (name !== this.candidacy?.name) {
      this.candidacy?.withdraw();
      this.candidacy = name === undefined ? undefined : this.election?.stand(name, this.onElection);
    }
  }

  /** A value waits in the key, and comes soon if the elected instance polls. */
  noteWaiting(): void {
    if (this.candidacy?.isElected === false) {
      const before = this.arrived;
      this.standIn ??= setTimeout(
        // Behind what has arrived and not been looked at yet, as this process was busy.
        () => setImmediate(() => this.settleStandIn(before)),
        STAND_IN_AFTER_MS,
      ).unref();
    }
  }

  /** A value has come from an instance that took it. */
  noteArrived(): void {
    this.arrived++;
  }

  /** @param more whether the poll has left something */
  notePolled(more: boolean): void {
    this.standsIn &&= more;
  }

  /** Nobody reads the key here any more. */
  end(): void {
    this.stand(undefined);
    clearTimeout(this.standIn);
  }

  private settleStandIn(before: number): void {
    this.standIn = undefined;
    this.standsIn = this.arrived === before;
    this.onStandIn();
  }
}
