import { monotonicNow } from '../../channel/clock.js';
import type {
  AppendResult,
  NewRun,
  OnChunks,
  RunAppend,
  RunChunk,
  RunName,
  RunRecord,
  RunStore,
} from '../../channel/runs.js';

/** One run, while it lasts and for some time after. */
interface MemoryRun extends NewRun {
  readonly chunks: RunChunk[];
  readonly followers: Set<OnChunks>;
  leaseUntil: number;
  hasEnded: boolean;
  /** Whether a call of `end()` has ended it. */
  wasEnded: boolean;
  forgetting: NodeJS.Timeout | undefined;
}

/** Keeps runs in this process. */
export class MemoryRuns implements RunStore {
  private readonly runs = new Map<string, MemoryRun>();
  /** The newest run of each channel. */
  private readonly newest = new Map<string, MemoryRun>();

  async begin(run: NewRun): Promise<RunRecord> {
    const known = this.runs.get(run.id) ?? this.newest.get(run.channel);
    if (known && (known.id === run.id || !known.hasEnded)) {
      return recordOf(known);
    }
    const begun: MemoryRun = {
      ...run,
      chunks: [],
      followers: new Set(),
      leaseUntil: monotonicNow() + run.lease,
      hasEnded: false,
      wasEnded: false,
      forgetting: undefined,
    };
    this.runs.set(run.id, begun);
    this.newest.set(run.channel, begun);
    return recordOf(begun);
  }

  async append(append: RunAppend): Promise<AppendResult> {
    const { after, chunks } = append;
    const run = this.runOf(append);
    if (!run || after > run.chunks.length) {
      return 'gone';
    }
    if (run.hasEnded) {
      return run.wasEnded || after + chunks.length > run.chunks.length ? 'ended' : 'appended';
    }
    run.leaseUntil = monotonicNow() + run.lease;
    this.add(run, after, chunks);
    return 'appended';
  }

  async end(name: RunName, chunks: readonly RunChunk[], isLost: boolean): Promise<boolean> {
    const run = this.runOf(name);
    if (!run || run.hasEnded) {
      return run !== undefined;
    }
    if (isLost && run.leaseUntil > monotonicNow()) {
      return false;
    }
    run.wasEnded = true;
    this.add(run, run.chunks.length, chunks);
    return true;
  }

  async find(channel: string, id?: string): Promise<RunRecord | undefined> {
    const run = id === undefined ? this.newest.get(channel) : this.runOf({ channel, id });
    return run && recordOf(run);
  }

  async read(
    name: RunName,
    after: number,
    limit: number,
  ): Promise<readonly RunChunk[] | undefined> {
    const run = this.runOf(name);
    return run && after <= run.chunks.length ? run.chunks.slice(after, after + limit) : undefined;
  }

  follow(name: RunName, onChunks: OnChunks): () => void {
    const { followers } = this.runOf(name) ?? { followers: undefined };
    let isFollowed = true;
    followers?.add(onChunks);
    queueMicrotask(() => isFollowed && onChunks());
    return () => {
      isFollowed = false;
      followers?.delete(onChunks);
    };
  }

  async close(): Promise<void> {
    for (const run of this.runs.values()) {
      clearTimeout(run.forgetting);
      run.followers.clear();
    }
    this.runs.clear();
    this.newest.clear();
  }

  private runOf({ channel, id }: RunName): MemoryRun | undefined {
    const run = this.runs.get(id);
    return run?.channel === channel ? run : undefined;
  }

  /** Adds the chunks that the run does not have yet. */
  private add(run: MemoryRun, after: number, chunks: readonly RunChunk[]): void {
    const head = run.chunks.length;
    const added = head === after ? chunks : chunks.slice(head - after);
    if (added.length === 0) {
      return;
    }
    for (const chunk of added) {
      run.chunks.push(chunk);
    }
    if (added.at(-1)!.end) {
      run.hasEnded = true;
      run.forgetting = setTimeout(() => this.forget(run), run.keep).unref();
    }
    run.followers.forEach((onChunks) => onChunks(head, added));
  }

  private forget(run: MemoryRun): void {
    this.runs.delete(run.id);
    if (this.newest.get(run.channel) === run) {
      this.newest.delete(run.channel);
    }
  }
}

function recordOf({ channel, id, format, chunks, hasEnded, leaseUntil }: MemoryRun): RunRecord {
  const leaseLeft = leaseUntil - monotonicNow();
  return { channel, id, format, head: chunks.length, hasEnded, leaseLeft };
}
