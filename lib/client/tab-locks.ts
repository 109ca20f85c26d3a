import { platform, type LockStore } from './tab-platform.js';

/** The locks of one name that this tab holds or waits for, until they are released together. */
export class TabLocks {
  private readonly end = new AbortController();
  private readonly ended = new Promise<void>((resolve) => {
    this.end.signal.addEventListener('abort', () => resolve());
  });

  private readonly store: LockStore = platform.navigator!.locks!;

  constructor(private readonly name: string) {}

  get areReleased(): boolean {
    return this.end.signal.aborted;
  }

  /**
   * Holds a lock from the moment it is free.
   *
   * @param work what is done with it; it is released when this is done, or with all others
   * @param isStolen whoever holds it loses it
   * @returns once it was given back, taken away, or not got before the release
   * @throws what the browser says where it forbids locks
   */
  async hold(what: string, work: () => Promise<void> | void, isStolen = false): Promise<void> {
    const options = isStolen ? { steal: true } : { signal: this.end.signal };
    try {
      await this.store.request(this.name + what, options, async () => {
        if (!this.areReleased) await Promise.race([work() ?? this.ended, this.ended]);
      });
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
    }
  }

  /** The ends of the names of locks that tabs hold and that begin so. */
  async held(what: string): Promise<string[]> {
    const { held = [] } = await this.store.query();
    const begin = this.name + what;
    return held.flatMap(({ name }) => (name?.startsWith(begin) ? [name.slice(begin.length)] : []));
  }

  release(): void {
    this.end.abort();
  }
}
