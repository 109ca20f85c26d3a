interface Wait {
  /** Settles the wait and returns true when its condition holds. */
  look(): boolean;
  fail(why: string, cause?: unknown): void;
}

/** Waits for conditions, and checks them again whenever something has happened. */
export class ConditionWaits {
  private readonly waits = new Set<Wait>();
  private over = false;

  wake(): void {
    for (const wait of this.waits) {
      try {
        if (!wait.look() && this.over) wait.fail('The stream has ended');
      } catch (error) {
        wait.fail('The predicate has thrown', error);
      }
    }
  }

  /**
   * Ends all waits, as nothing will happen any more: conditions that do not hold now never will.
   */
  end(): void {
    this.over = true;
    this.wake();
  }

  /**
   * Resolves when the condition holds; rejects after `deadline` milliseconds, or when nothing will
   * happen any more.
   *
   * @param describe returns the end of the error's message: what the test waits for, and what is
   * there
   */
  until(condition: () => boolean, deadline: number, describe: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void) => {
        clearTimeout(timer);
        this.waits.delete(wait);
        action();
      };
      const wait: Wait = {
        look: () => {
          const holds = condition();
          if (holds) settle(resolve);
          return holds;
        },
        fail: (why, cause) =>
          settle(() => reject(new Error(`${why}, while waiting for ${describe()}`, { cause }))),
      };
      const timer = setTimeout(() => wait.fail(`Nothing within ${deadline} ms`), deadline);
      this.waits.add(wait);
      this.wake();
    });
  }
}
