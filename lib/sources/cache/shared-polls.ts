/** How often a key is polled, in milliseconds. */
export interface PollRate {
  readonly interval: number;
  /** What the interval may grow to while nothing comes. */
  readonly maxInterval: number;
}

/** One instance polls keys for all instances: this instance's part in that. */
export interface SharedPolls {
  /** Whether one instance polls for all. While it is false, each polls what it reads. */
  readonly work: boolean;
  /** Whether this instance is the one that polls for all, at this moment. */
  readonly isPoller: boolean;
  /** Has the key polled so often, by whichever instance; `undefined`: no longer. */
  want(key: string, rate: PollRate | undefined): void;
  /** Hands over to the other instances. */
  stop(): Promise<void>;
}

/** What shared polls need of the instance. */
export interface SharedPollsOwner {
  /** Polls the key so often for all instances; `undefined`: no longer. */
  poll(key: string, rate: PollRate | undefined): void;
  /** `work` has changed. */
  onChange(): void;
}
