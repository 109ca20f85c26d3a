import { ME, type Candidate } from './candidate.js';
import type { ElectionCalls } from './redis-election-calls.js';

/** How many names one call takes. */
const BATCH = 1_000;

/**
 * What this instance stands for, and who is elected for each. What is to be asked for and given
 * up gathers here until `claim` and `release` are called. Calls must not overlap.
 */
export class ElectionCandidates {
  private readonly candidates = new Map<string, Candidate>();
  private readonly asking = new Set<Candidate>();
  private readonly releasing = new Set<string>();

  /** @param onDue called when there is something to ask for or to give up */
  constructor(
    private readonly calls: ElectionCalls,
    private readonly onDue: () => void,
  ) {}

  get hasClaims(): boolean {
    return this.asking.size > 0;
  }

  get hasReleases(): boolean {
    return this.releasing.size > 0;
  }

  add(candidate: Candidate): void {
    if (this.releasing.delete(candidate.name)) {
      // It was to be given up in this very turn.
      candidate.holder = ME;
    }
    this.candidates.set(candidate.name, candidate);
    this.ask(candidate);
  }

  remove(candidate: Candidate): void {
    if (this.isCurrent(candidate)) {
      this.candidates.delete(candidate.name);
      this.asking.delete(candidate);
      if (candidate.holder === ME) {
        this.releasing.add(candidate.name);
        this.onDue();
      }
    }
  }

  withdrawAll(): void {
    this.candidates.forEach((candidate) => candidate.withdraw());
  }

  /** Asks anew who is elected for each. */
  askAll(): void {
    this.candidates.forEach((candidate) => this.ask(candidate));
  }

  /**
   * Asks anew where another instance has given up what it was elected for.
   * @param names `undefined` when it is not known which: then it may be any
   */
  askReleased(names: readonly string[] | undefined): void {
    for (const name of names ?? this.candidates.keys()) {
      const candidate = this.candidates.get(name);
      if (candidate && candidate.holder !== ME) {
        this.ask(candidate);
      }
    }
  }

  /** Asks anew where the one that was elected does not live any more. */
  askOrphaned(living: ReadonlyMap<string, string>): void {
    for (const candidate of this.candidates.values()) {
      const { holder } = candidate;
      if (holder !== undefined && holder !== ME && !living.has(holder)) {
        this.asking.add(candidate);
      }
    }
  }

  /** Nothing is known of who is elected, and nothing is held that could be given up. */
  forget(): void {
    this.releasing.clear();
    this.candidates.forEach((candidate) => candidate.settle(undefined));
  }

  /** Each may have been elected, or not be any more, for a reason that they share. */
  tellAll(): void {
    this.candidates.forEach((candidate) => candidate.onChange());
  }

  /** What had lapsed for those that are elected holds again. */
  tellElected(): void {
    this.candidates.forEach((candidate) => candidate.isElected && candidate.onChange());
  }

  /** Asks for a batch. False when the instance was declared dead. */
  async claim(id: string): Promise<boolean> {
    const batch = firstOf(this.asking);
    // Each can be asked for anew from here on, as what this call finds may change meanwhile.
    batch.forEach((candidate) => this.asking.delete(candidate));
    let holders: readonly string[] | undefined;
    try {
      const names = batch.map(({ name }) => name);
      holders = await this.calls.claim(id, names);
    } catch (error) {
      for (const candidate of batch) {
        if (this.isCurrent(candidate)) {
          this.asking.add(candidate);
        } else {
          // Only the reply may be missing, and nobody else can be elected then.
          this.giveUp(candidate.name);
        }
      }
      throw error;
    }
    if (!holders) {
      return false;
    }
    batch.forEach((candidate, index) => this.settle(candidate, holders[index]!));
    return true;
  }

  /** Gives up a batch. */
  async release(id: string): Promise<void> {
    const batch = firstOf(this.releasing);
    batch.forEach((name) => this.releasing.delete(name));
    try {
      await this.calls.release(id, batch);
    } catch (error) {
      batch.forEach((name) => this.giveUp(name));
      throw error;
    }
  }

  private ask(candidate: Candidate): void {
    this.asking.add(candidate);
    this.onDue();
  }

  private settle(candidate: Candidate, holder: string): void {
    if (this.isCurrent(candidate)) {
      candidate.settle(holder);
    } else if (holder === ME) {
      this.giveUp(candidate.name);
    }
  }

  private giveUp(name: string): void {
    if (!this.candidates.has(name)) {
      this.releasing.add(name);
    }
  }

  private isCurrent(candidate: Candidate): boolean {
    return this.candidates.get(candidate.name) === candidate;
  }
}

function firstOf<T>(set: ReadonlySet<T>): readonly T[] {
  const batch: T[] = [];
  for (const one of set) {
    if (batch.push(one) === BATCH) {
      break;
    }
  }
  return batch;
}
