/** Web Locks of one process, for versions of Node without: https://w3c.github.io/web-locks/ */
class LockStore {
  private readonly held = new Map<string, { lose: (error: Error) => void }>();
  private readonly pending: { name: string; grant: () => void }[] = [];

  request(
    name: string,
    { steal = false, signal }: { steal?: boolean; signal?: AbortSignal },
    hold: () => Promise<void>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        const mine = { lose: reject };
        this.held.set(name, mine);
        void hold()
          .then(resolve, reject)
          .finally(() => {
            if (this.held.get(name) !== mine) return;
            this.held.delete(name);
            this.next(name);
          });
      };
      if (signal?.aborted) {
        reject(aborted());
      } else if (steal) {
        this.held.get(name)?.lose(aborted());
        queueMicrotask(grant);
      } else {
        const waiting = { name, grant };
        this.pending.push(waiting);
        signal?.addEventListener('abort', () => {
          const at = this.pending.indexOf(waiting);
          if (at < 0) return;
          this.pending.splice(at, 1);
          reject(aborted());
        });
        this.next(name);
      }
    });
  }

  query(): Promise<{ held: { name: string }[] }> {
    return Promise.resolve({ held: [...this.held.keys()].map((name) => ({ name })) });
  }

  private next(name: string): void {
    setImmediate(() => {
      if (this.held.has(name)) return;
      const at = this.pending.findIndex((each) => each.name === name);
      if (at >= 0) this.pending.splice(at, 1)[0]!.grant();
    });
  }
}

function aborted(): Error {
  return new DOMException('The request was aborted.', 'AbortError');
}

/** Gives the tests `navigator.locks`, where Node has none. What it returns takes that back. */
export function provideLocks(): () => void {
  const had = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  if ((globalThis as { navigator?: { locks?: object } }).navigator?.locks) return () => undefined;
  const navigator = { locks: new LockStore() };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  return () => {
    if (had) Object.defineProperty(globalThis, 'navigator', had);
    else delete (globalThis as { navigator?: object }).navigator;
  };
}
