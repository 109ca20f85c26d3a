import { setTimeout as sleep } from 'node:timers/promises';
import { isDataRefusal } from '../postgres/postgres-error.js';
import { WakeableSleep } from '../postgres/wakeable-sleep.js';

/** The shortest time between two looks, in milliseconds. */
const PAUSE_MS = 50;

/**
 * Tells who watches a channel when its seats may have changed on some instance: it looks at the marks of all
 * watched channels when woken, and at intervals.
 */
export class PresenceMarks {
  private readonly watchers = new Map<string, Set<() => void>>();
  private readonly pause = new WakeableSleep();
  private last: ReadonlyMap<string, string> = new Map();
  private looking: Promise<void> | undefined;
  private isStopped = false;

  constructor(
    private readonly read: (channels: readonly string[]) => Promise<ReadonlyMap<string, string>>,
    /** The longest time between two looks, in milliseconds. */
    private readonly interval: number,
  ) {}

  add(channel: string, onChange: () => void): () => void {
    let watchers = this.watchers.get(channel);
    if (!watchers) {
      this.watchers.set(channel, (watchers = new Set()));
    }
    watchers.add(onChange);
    this.looking ??= this.look();
    return () => {
      watchers.delete(onChange);
      if (watchers.size === 0 && this.watchers.get(channel) === watchers) {
        this.watchers.delete(channel);
      }
    };
  }

  /** Seats have changed on some instance. */
  wake(): void {
    this.pause.wake();
  }

  stop(): void {
    this.isStopped = true;
    this.watchers.clear();
    this.wake();
  }

  private async look(): Promise<void> {
    while (this.watchers.size > 0) {
      this.pause.forget();
      await this.lookOnce().catch(() => undefined);
      await sleep(PAUSE_MS, undefined, { ref: false });
      if (!this.isStopped) {
        await this.pause.sleep(this.interval);
      }
    }
    this.last = new Map();
    // In the turn of the last test: who comes in any later one begins anew.
    this.looking = undefined;
  }

  private async lookOnce(): Promise<void> {
    const channels = [...this.watchers.keys()];
    const before = this.last;
    const found = await this.read(channels).catch((error: unknown) => {
      if (!isDataRefusal(error)) {
        throw error;
      }
      // The database cannot hold the name of a channel: we tell all who watch, with each look.
      return undefined;
    });
    this.last = new Map(channels.map((channel) => [channel, found?.get(channel) ?? '']));
    for (const channel of channels) {
      if (!found || before.get(channel) !== this.last.get(channel)) {
        this.watchers.get(channel)?.forEach((tell) => tell());
      }
    }
  }
}
