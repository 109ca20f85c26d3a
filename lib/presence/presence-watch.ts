import { setTimeout as sleep } from 'node:timers/promises';
import type { Subscriber } from 'rxjs';
import { backoff } from '../channel/backoff.js';
import { Outage } from '../channel/outage.js';
import type { PresencePage, PresenceStore } from '../channel/presence.js';
import { reasonOf } from '../channel/reason.js';
import { isReported } from '../channel/reported.js';
import type { SseLogger } from '../channel/source.js';
import { MOST_MEMBERS } from './presence.options.js';
import { presenceOf, type SsePresence } from './sse-presence.js';

/** The shortest time between two readings of one channel, in milliseconds. */
const PAUSE_MS = 100;
const RETRY = { first: 100, most: 5_000 };

/** Follows who is present in one channel, for all subscribers of this instance. */
export class PresenceWatch {
  private readonly subscribers = new Set<Subscriber<SsePresence>>();
  private readonly stopped = new AbortController();
  private readonly unwatch: () => void;
  private readonly outage: Outage;
  private last: PresencePage | undefined;
  /** Whether something may have changed since the last reading began. */
  private isStale = true;
  private isReading = false;

  constructor(
    private readonly channel: string,
    private readonly store: PresenceStore,
    log: SseLogger,
  ) {
    this.outage = new Outage(log, 'presence');
    this.unwatch = store.watch(channel, () => {
      this.isStale = true;
      void this.read();
    });
    void this.read();
  }

  get isUsed(): boolean {
    return this.subscribers.size > 0;
  }

  add(subscriber: Subscriber<SsePresence>): void {
    this.subscribers.add(subscriber);
    if (this.last) {
      subscriber.next(presenceOf(this.last));
    }
  }

  remove(subscriber: Subscriber<SsePresence>): void {
    this.subscribers.delete(subscriber);
  }

  stop(): void {
    if (this.stopped.signal.aborted) {
      return;
    }
    this.stopped.abort();
    this.subscribers.forEach((subscriber) => subscriber.complete());
    this.subscribers.clear();
    this.unwatch();
    this.outage.drop();
  }

  private async read(): Promise<void> {
    const { signal } = this.stopped;
    if (this.isReading) {
      return;
    }
    this.isReading = true;
    for (let attempt = 0; this.isStale && !signal.aborted;) {
      this.isStale = false;
      try {
        this.tell(await this.store.list(this.channel, undefined, MOST_MEMBERS));
        this.outage.end(`${this.what} can be read again.`);
        attempt = 0;
        await sleep(PAUSE_MS, undefined, { signal, ref: false });
      } catch (error) {
        this.isStale = true;
        if (!signal.aborted && !isReported(error)) {
          this.outage.begin(`${this.what} cannot be read: ${reasonOf(error)}`);
        }
        await sleep(backoff(attempt++, RETRY), undefined, { signal }).catch(() => undefined);
      }
    }
    this.isReading = false;
  }

  private get what(): string {
    return `Who is present in the channel ${JSON.stringify(this.channel)}`;
  }

  private tell(page: PresencePage): void {
    if (JSON.stringify(page) !== JSON.stringify(this.last)) {
      this.last = page;
      this.subscribers.forEach((subscriber) => subscriber.next(presenceOf(page)));
    }
  }
}
