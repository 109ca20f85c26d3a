import { settledWithin } from '../../channel/deadline.js';
import type { GatheredLog } from '../../channel/gathered-log.js';
import { reasonOf } from '../../channel/reason.js';
import type { SseLogger } from '../../channel/source.js';
import { fine, healthBy, type SystemHealth } from '../../channel/system-health.js';
import { tallyOf, type Polls } from '../../channel/tally.js';
import type { KeyReading, KeyStore, KnownValue } from './key-store.js';
import { PollOutage } from './poll-outage.js';
import { PollSchedule, type Scheduled } from './poll-schedule.js';

/** How long a stop waits for the store's replies, in milliseconds. Shutdown must not hang on them. */
export const STOP_WAIT_MS = 300;

export interface PolledKey {
  readonly key: string;
  /** The time between two polls, in milliseconds. Infinite: poll only on `now()`. */
  readonly interval: number;
  /** The longest interval while nothing comes, in milliseconds. */
  readonly maxInterval: number;
  /** How to read the key; `not` when this instance may not read it at this moment. */
  readonly reading: 'take' | 'watch' | 'not';
  /** The store's note of a watched value. */
  readonly known?: KnownValue | undefined;
  /** Called before the key is read. */
  begin(): void;
  /** Takes over the reading. Returns whether it brought something new. */
  receive(reading: KeyReading): boolean;
}

interface Entry extends Scheduled {
  readonly polled: PolledKey;
  /** A read was requested while one was under way, so the key is read once more. */
  again: boolean;
  removed: boolean;
}

/**
 * The number of parts of an interval. Each key belongs to a part, and one batch reads the keys of a
 * part: 10,000 keys make 20 batches a second, not 10,000.
 */
const PHASES = 20;
/** The most keys in one batch of a store that reads several at a time. */
const BATCH = 1_000;

/**
 * Polls all keys of one store. It polls each key once per interval, whatever the number of its
 * readers, and reads keys that are due together in one batch.
 */
export class KeyPoll {
  private readonly entries = new Map<PolledKey, Entry>();
  private readonly schedule = new PollSchedule<Entry>((entries) => this.run(entries));
  private readonly failing = new Set<Entry>();
  private readonly reading = new Set<Promise<void>>();
  private nextPhase = 0;
  private readonly outage: PollOutage;
  private readonly batch: number;
  private readonly polls: Polls;
  private stopped = false;

  /**
   * @param read reads the keys, in their order; never rejects
   * @param store the store of the keys
   * @param keyLog for what happens to keys, often to many at once
   */
  constructor(
    private readonly read: (keys: readonly PolledKey[]) => Promise<readonly KeyReading[]>,
    private readonly logger: SseLogger,
    { readsAlone }: Pick<KeyStore, 'readsAlone'>,
    keyLog: GatheredLog,
  ) {
    this.batch = readsAlone ? 1 : BATCH;
    this.outage = new PollOutage(logger, keyLog);
    this.polls = tallyOf(logger).polls.cache;
  }

  get size(): number {
    return this.entries.size;
  }

  /** How the store is. While no key is polled, nobody notices when an outage ends. */
  get health(): SystemHealth {
    return this.size === 0 ? fine('idle') : healthBy(this.outage, fine('up'));
  }

  /** Polls the key at once, and then at its interval. A known key only gets its new interval. */
  add(polled: PolledKey): void {
    let entry = this.entries.get(polled);
    const known = entry !== undefined && !entry.removed;
    if (!entry) {
      const phase = (this.nextPhase++ % PHASES) / PHASES;
      entry = {
        polled,
        phase,
        state: 'idle',
        due: 0,
        wait: 0,
        again: false,
        removed: false,
      };
      this.entries.set(polled, entry);
    }
    entry.removed = false;
    entry.wait = polled.interval;
    if (!known) {
      this.ask(entry);
    } else if (entry.state === 'due') {
      this.schedule.remove(entry);
      this.askLater(entry);
    }
  }

  /** Polls the key no longer. It still receives a reading under way. */
  remove(polled: PolledKey): void {
    const entry = this.entries.get(polled);
    if (!entry) {
      return;
    }
    entry.removed = true;
    entry.again = false;
    this.failing.delete(entry);
    if (entry.state !== 'reading') {
      this.schedule.remove(entry);
      this.entries.delete(polled);
    }
  }

  /** Polls an added key at once. */
  now(polled: PolledKey): void {
    const entry = this.entries.get(polled);
    if (entry && !entry.removed) {
      this.ask(entry);
    }
  }

  /** Reads at once the keys with which the store had failed. */
  retry(): void {
    this.outage.retryNow();
    for (const entry of this.failing) {
      this.ask(entry);
    }
  }

  /** Ends every timer; resolves once the readings under way have been received. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.schedule.stop();
    this.entries.clear();
    await settledWithin(Promise.all(this.reading), STOP_WAIT_MS);
  }

  private ask(entry: Entry): void {
    if (entry.state === 'reading') {
      entry.again = true;
      return;
    }
    this.schedule.remove(entry);
    if (!this.stopped) {
      this.schedule.addSoon(entry);
    }
  }

  private askLater(entry: Entry): void {
    if (this.stopped || entry.removed) {
      return;
    }
    if (entry.again) {
      this.ask(entry);
    } else if (this.failing.has(entry)) {
      this.schedule.addAt(entry, this.outage.retryAt);
    } else if (Number.isFinite(entry.wait)) {
      this.schedule.addNext(entry);
    }
  }

  private run(entries: readonly Entry[]): void {
    for (let start = 0; start < entries.length; start += this.batch) {
      const batch = this.readBatch(entries.slice(start, start + this.batch));
      this.reading.add(batch);
      void batch.finally(() => this.reading.delete(batch));
    }
  }

  private async readBatch(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      entry.state = 'reading';
      entry.again = false;
      entry.polled.begin();
    }
    this.polls.done += entries.length;
    const readings = await this.read(entries.map((entry) => entry.polled));
    this.noteFailures(entries, readings);
    entries.forEach((entry, index) => this.finish(entry, readings[index]!));
  }

  private finish(entry: Entry, reading: KeyReading): void {
    const { polled } = entry;
    this.outage.noteRefusal(polled, reading);
    let news = false;
    try {
      news = polled.receive(reading);
    } catch (error) {
      this.logger.error(
        `A value of the key ${JSON.stringify(polled.key)} did not reach its channels: ${reasonOf(error)}`,
      );
    }
    entry.state = 'idle';
    if (entry.removed) {
      this.entries.delete(polled);
      return;
    }
    entry.wait = news
      ? polled.interval
      : Math.max(polled.interval, Math.min(entry.wait * 2, polled.maxInterval));
    entry.again ||= reading.more === true;
    this.askLater(entry);
  }

  private noteFailures(entries: readonly Entry[], readings: readonly KeyReading[]): void {
    entries.forEach((entry, index) => {
      if (readings[index]!.failure !== undefined) {
        this.polls.failed++;
      }
      if (readings[index]!.failure === undefined || entry.removed) {
        this.failing.delete(entry);
      } else {
        this.failing.add(entry);
      }
    });
    const failed = readings.find((reading) => reading.failure !== undefined);
    if (failed) {
      this.outage.failed(failed);
    } else if (this.failing.size === 0) {
      this.outage.over();
    }
  }
}
