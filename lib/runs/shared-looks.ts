/** The look under way for a key, and the one that begins after it. */
interface Looks<T> {
  readonly current: Promise<T>;
  next: Promise<T> | undefined;
}

/**
 * Looks that callers share, at most one at a time for each key. Nobody gets what a look has found that
 * began before the call: the store may have answered it already, and the caller may know of something
 * newer. All who call during a look share the next one.
 */
export class SharedLooks<T> {
  private readonly looks = new Map<string, Looks<T>>();

  /** @throws what the look throws; those who wait for the next look get the error of the one before */
  look(key: string, look: () => Promise<T>): Promise<T> {
    const looks = this.looks.get(key);
    if (!looks) {
      return this.begin(key, look);
    }
    return (looks.next ??= looks.current.then(() => this.begin(key, look)));
  }

  private begin(key: string, look: () => Promise<T>): Promise<T> {
    const looks: Looks<T> = { current: look(), next: undefined };
    this.looks.set(key, looks);
    const end = (hasFailed: boolean): void => {
      if (hasFailed || !looks.next) {
        this.looks.delete(key);
      }
    };
    void looks.current.then(
      () => end(false),
      () => end(true),
    );
    return looks.current;
  }
}
