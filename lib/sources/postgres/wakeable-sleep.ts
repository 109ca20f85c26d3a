import { setTimeout as sleep } from 'node:timers/promises';

/** A sleep that somebody else can end. A call of `wake()` before it ends the next sleep at once. */
export class WakeableSleep {
  private isWoken = false;
  private abort: AbortController | undefined;

  /** Resolves after a time, or when woken since the last sleep. */
  async sleep(ms: number): Promise<void> {
    if (!this.isWoken) {
      const { signal } = (this.abort = new AbortController());
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    }
    this.isWoken = false;
  }

  wake(): void {
    this.isWoken = true;
    this.abort?.abort();
  }

  forget(): void {
    this.isWoken = false;
  }
}
