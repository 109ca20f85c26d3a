import { AsyncLocalStorage } from 'node:async_hooks';
import { monotonicNow } from '../../channel/clock.js';
import type { OnceKey } from '../../channel/once.js';
import { SseError } from '../../channel/sse-error.js';

const MOST_KEYS = 1_000_000;
/** How often, within one window, the keys whose window is over are dropped. */
const SWEEPS = 4;

interface SentKey {
  readonly id: string;
  readonly until: number;
}

/** The idempotency keys of the events that were sent in this process, each until its window is over. */
export class SentKeys {
  /** The oldest first. */
  private readonly sent = new Map<string, SentKey>();
  private sweep: NodeJS.Timeout | undefined;
  private readonly detach = AsyncLocalStorage.snapshot();

  /** @param most the most keys that are remembered */
  constructor(private readonly most = MOST_KEYS) {}

  /** The id of the first event of a channel with this key, within the key's window. */
  idOf(channel: string, key: string): string | undefined {
    const found = this.sent.get(nameOf(channel, key));
    return found && found.until > monotonicNow() ? found.id : undefined;
  }

  /** @throws SseError `LIMIT_REACHED` when no further key can be remembered */
  makeRoom(): void {
    if (this.sent.size >= this.most) {
      this.trim();
    }
    if (this.sent.size >= this.most) {
      throw new SseError(
        'LIMIT_REACHED',
        `${this.most} idempotency keys are remembered already. Shorten \`idempotencyWindow\`, or send fewer events with a key.`,
      );
    }
  }

  note(channel: string, { key, window }: OnceKey, id: string): void {
    const name = nameOf(channel, key);
    // A key whose window is over may still stand among the oldest.
    this.sent.delete(name);
    this.sent.set(name, { id, until: monotonicNow() + window });
    this.sweep ??= this.detach(() => this.sweepAfter(window / SWEEPS));
  }

  close(): void {
    clearTimeout(this.sweep);
    this.sent.clear();
  }

  private sweepAfter(ms: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.trim();
      this.sweep = this.sent.size > 0 ? this.sweepAfter(ms) : undefined;
    }, ms);
    return timer.unref();
  }

  private trim(): void {
    const now = monotonicNow();
    for (const [name, { until }] of this.sent) {
      if (until > now) {
        return;
      }
      this.sent.delete(name);
    }
  }
}

/** Neither part has control characters. */
function nameOf(channel: string, key: string): string {
  return `${channel}\n${key}`;
}
