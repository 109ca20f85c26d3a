import { monotonicNow } from '../../channel/clock.js';
import type { ReaderStatements } from './reader-statements.js';
import type { Session } from './session.js';

/** Between two attempts to be elected, in milliseconds. */
const INTERVAL = 5_000;

/** What an instance is told of its election. */
export interface ElectionEvents {
  /** This instance is elected, or there is a pooler in between and it has to act as if. */
  elected(isPooled: boolean): void;
  /** Another instance is; called from time to time. */
  passedOver(session: Session): Promise<void>;
  /** It no longer is. */
  deposed(): void;
}

/** Elects one of the instances that read the same table. A seat lasts as long as its session. */
export class Election {
  readonly #statements: ReaderStatements;
  readonly #mayWake: boolean;
  readonly #events: ElectionEvents;
  #isElected = false;
  #next = -Infinity;

  /** @param mayWake whether this instance may be the waker */
  constructor(statements: ReaderStatements, mayWake: boolean, events: ElectionEvents) {
    this.#statements = statements;
    this.#mayWake = mayWake;
    this.#events = events;
  }

  get isElected(): boolean {
    return this.#isElected;
  }

  /** Stands for election, from time to time; to be called at any time. */
  async stand(session: Session): Promise<void> {
    if (this.#isElected || monotonicNow() < this.#next) {
      return;
    }
    this.#next = monotonicNow() + INTERVAL;
    if (session.isPooled || (await this.#statements.elect(session, this.#mayWake))) {
      this.#isElected = true;
      this.#events.elected(session.isPooled);
    } else {
      await this.#events.passedOver(session);
    }
  }

  /** The session is over, and another one may stand at once. */
  resign(): void {
    this.#next = -Infinity;
    if (this.#isElected) {
      this.#isElected = false;
      this.#events.deposed();
    }
  }
}
