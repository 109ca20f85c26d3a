import { randomBytes } from 'node:crypto';

/** How many calls are under way at a time where each can be for any stream. */
const MAX_CALLS = 64;

/** What Redis knows a call by. */
export interface CallMarker {
  /** The key under which it notes the number and the outcome of the last call. */
  readonly key: string;
  /** Higher than that of every call before. */
  readonly number: number;
}

/**
 * The markers of this instance's calls. A key is in use by one call at a time. In a Cluster it has
 * to share the slot of the call's stream, so there each stream has its own.
 */
export class CallMarkers {
  private readonly instance = randomBytes(9).toString('base64url');
  private readonly idle: string[] = [];
  private made = 0;
  private number = 0;

  constructor(
    private readonly prefix: string,
    private readonly perStream: boolean,
  ) {}

  /** A marker for a call that begins with this stream; `undefined` while too many are in use. */
  acquire(stream: string): CallMarker | undefined {
    const key = this.perStream ? this.keyOf(stream) : this.anyKey();
    return key === undefined ? undefined : { key, number: ++this.number };
  }

  /** The key of a marker that only one stream has. */
  keyOf(stream: string): string {
    return `${stream}:from:${this.instance}`;
  }

  /** The outcome of the call is known, or nobody wants to know it any more. */
  release({ key }: CallMarker): void {
    if (!this.perStream) {
      this.idle.push(key);
    }
  }

  private anyKey(): string | undefined {
    return (
      this.idle.pop() ??
      (this.made < MAX_CALLS ? `${this.prefix}from:${this.instance}:${++this.made}` : undefined)
    );
  }
}
