import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import type { OnChunks, RunChunk, RunName } from '../../channel/runs.js';
import { WakeableSleep } from '../postgres/wakeable-sleep.js';
import type { ReadLimits, RunPlace, RunStatements } from './run-statements.js';

/** The shortest time between two looks, in milliseconds, and in parts of the time that the last one took. */
const PAUSE_MS = 10;
const PAUSE_PARTS = 2;
/** What one look reads. */
const LIMITS: ReadLimits = { chunks: 200, size: 1_048_576 };

/** A run that somebody on this instance follows. */
interface Followed extends RunName {
  readonly followers: Set<OnChunks>;
  /** The number of the newest chunk that followers know of. */
  after: number | undefined;
}

/**
 * Tells followers of runs about chunks: it looks at all followed runs by one statement when woken, and at
 * intervals.
 */
export class RunNewsLooks {
  private readonly runs = new Map<string, Followed>();
  private readonly pause = new WakeableSleep();
  private readonly detach = AsyncLocalStorage.snapshot();
  private looking: Promise<void> | undefined;
  private isStopped = false;

  constructor(
    private readonly statements: RunStatements,
    /** The longest time between two looks, in milliseconds. */
    private readonly interval: number,
  ) {}

  /** Returns a function that ends it. */
  add({ channel, id }: RunName, onChunks: OnChunks): () => void {
    const key = keyOf({ channel, id });
    const run: Followed = this.runs.get(key) ?? {
      channel,
      id,
      followers: new Set(),
      after: undefined,
    };
    this.runs.set(key, run);
    // Each call is a follower of its own, also with the same function.
    const follower: OnChunks = (...args) => onChunks(...args);
    run.followers.add(follower);
    if (run.after === undefined) {
      this.wake();
      this.looking ??= this.detach(() => this.look());
    } else {
      setImmediate(() => run.followers.has(follower) && follower());
    }
    return () => {
      run.followers.delete(follower);
      if (run.followers.size === 0 && this.runs.get(key) === run) {
        this.runs.delete(key);
      }
    };
  }

  /** This instance has appended chunks to a run. */
  appended(name: RunName, after: number, chunks: readonly RunChunk[]): void {
    const run = this.runs.get(keyOf(name));
    if (run && chunks.length > 0) {
      tell(run, after, chunks);
    }
  }

  /** Some run has other chunks. */
  wake(): void {
    this.pause.wake();
  }

  stop(): void {
    this.isStopped = true;
    this.runs.clear();
    this.wake();
  }

  private async look(): Promise<void> {
    while (this.runs.size > 0) {
      this.pause.forget();
      const began = monotonicNow();
      // After a failure the next look is as good, since it asks from the same numbers on.
      const isCut = await this.lookOnce().catch(() => false);
      const took = monotonicNow() - began;
      await sleep(Math.max(PAUSE_MS, took * PAUSE_PARTS), undefined, { ref: false });
      if (!this.isStopped && !isCut) {
        await this.pause.sleep(this.interval);
      }
    }
    // In the turn of the last test: who comes in any later one begins anew.
    this.looking = undefined;
  }

  private async lookOnce(): Promise<boolean> {
    const places = [...this.runs.values()];
    const asked: RunPlace[] = places.map(({ channel, id, after }) => ({ channel, id, after }));
    const { runs, isCut } = await this.statements.read(asked, LIMITS, true);
    if (this.isStopped) {
      return false;
    }
    for (const [place, { head, chunks }] of runs) {
      const run = places[place]!;
      const { after } = asked[place]!;
      if (after !== undefined && chunks.length > 0) {
        tell(run, after, chunks);
      } else {
        // The first look, or a server that has lost chunks.
        run.after = head;
        run.followers.forEach((follower) => follower());
      }
    }
    return isCut || [...runs.values()].some(({ chunks }) => chunks.length === LIMITS.chunks);
  }
}

function tell(run: Followed, after: number, chunks: readonly RunChunk[]): void {
  if (run.after !== undefined && after <= run.after) {
    run.after = Math.max(run.after, after + chunks.length);
  }
  run.followers.forEach((follower) => follower(after, chunks));
}

function keyOf({ channel, id }: RunName): string {
  return `${id} ${channel}`;
}
