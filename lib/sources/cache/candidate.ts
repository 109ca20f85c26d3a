import type { Candidacy } from './poller-election.js';

/** The holder that is this instance itself. */
export const ME = '';

/** What a candidate needs of its election. */
export interface Election {
  /** True while instances cannot elect: then each polls what it reads. */
  readonly isOffForAll: boolean;
  /** Whether no other instance can have been elected in place of this one. */
  readonly isCertain: boolean;
  /** A candidate no longer stands. */
  withdraw(candidate: Candidate): void;
}

/** This instance, standing for one name. */
export class Candidate implements Candidacy {
  /** Who is elected: `ME`, another instance's id, or `undefined` while that is not known. */
  holder: string | undefined;

  constructor(
    readonly name: string,
    readonly onChange: () => void,
    private readonly election: Election,
  ) {}

  get isElected(): boolean {
    return this.election.isOffForAll || this.holder === ME;
  }

  get mayPoll(): boolean {
    return this.isElected && this.election.isCertain;
  }

  /** Takes over who is elected. */
  settle(holder: string | undefined): void {
    const before = this.isElected;
    this.holder = holder;
    if (this.isElected !== before) {
      this.onChange();
    }
  }

  withdraw(): void {
    this.election.withdraw(this);
  }
}
