import { setTimeout as sleep } from 'node:timers/promises';
import type { AppendResult, NewRun, RunChunk, RunStore } from '../../lib/channel/runs.js';

/** A run with an id of its own and terms that last as long as a test. */
export function newRun(channel: string, more: Partial<NewRun> = {}): NewRun {
  const id = `${++runs}`;
  return { channel, id, format: 'default', lease: 60_000, keep: 60_000, ...more };
}

let runs = 0;

export const textOf = (number: number): string => `chunk ${number}`;

/** Repeats a call until it is answered, as the package does. */
export async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch {
      await sleep(20);
    }
  }
}

/** Appends chunks to a run one by one, and then its end, however often a call fails. */
export async function write(
  store: RunStore,
  run: NewRun,
  count: number,
  isPaced = true,
): Promise<AppendResult> {
  for (let after = 0; after <= count; after++) {
    const chunk: RunChunk =
      after < count ? { data: textOf(after + 1) } : { data: '[DONE]', end: true };
    const result = await answered(() => store.append({ ...run, after, chunks: [chunk] }));
    if (result !== 'appended') {
      return result;
    }
    if (isPaced) {
      await sleep(2);
    }
  }
  return 'appended';
}

/** The texts of a whole run of so many chunks. */
export const whole = (count: number): readonly string[] => [
  ...Array.from({ length: count }, (_, nth) => textOf(nth + 1)),
  '[DONE]',
];

/** Writes down the chunks of a run as they come, each once, as the package's reader does. */
export class RunRecorder {
  readonly chunks: RunChunk[] = [];
  /** How often chunks were read, as some may have been missed. */
  reads = 0;
  /** Whether the store has lost the run, or what it had of it. */
  isGone = false;
  readonly stop: () => void;
  private isReading = false;
  private isBehind = false;

  constructor(
    private readonly store: RunStore,
    private readonly run: NewRun,
  ) {
    this.stop = store.follow(run, (after, chunks) => {
      if (after !== undefined && !this.isReading && after <= this.chunks.length) {
        this.chunks.push(...chunks!.slice(this.chunks.length - after));
        return;
      }
      this.isBehind = true;
      if (!this.isReading) {
        void this.readOn();
      }
    });
  }

  get texts(): readonly string[] {
    return this.chunks.map(({ data }) => data);
  }

  get isOver(): boolean {
    return this.isGone || this.chunks.at(-1)?.data === '[DONE]';
  }

  private async readOn(): Promise<void> {
    this.isReading = true;
    while (this.isBehind) {
      this.isBehind = false;
      this.reads++;
      const read = await answered(() => this.store.read(this.run, this.chunks.length, 100));
      this.isGone = read === undefined;
      this.chunks.push(...(read ?? []));
      this.isBehind ||= read !== undefined && read.length > 0;
    }
    this.isReading = false;
  }
}
