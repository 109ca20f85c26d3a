import type {
  AppendResult,
  LocalRun,
  NewRun,
  OnChunks,
  OwnRunStore,
  RunAppend,
  RunChunk,
  RunName,
  RunRecord,
} from '../../channel/runs.js';
import { MemoryRun } from './memory-run.js';

/** Keeps runs in this process. */
export class MemoryRuns implements OwnRunStore {
  private readonly runs = new Map<string, MemoryRun>();
  /** The newest run of each channel. */
  private readonly newest = new Map<string, MemoryRun>();
  /** What forgets the runs that have ended. */
  private readonly timers = new Set<NodeJS.Timeout>();

  async begin(run: NewRun): Promise<RunRecord> {
    const known = this.runs.get(run.id) ?? this.newest.get(run.channel);
    if (known && (known.id === run.id || !known.hasEnded)) {
      return known.record;
    }
    const begun = new MemoryRun(run, (ended) => this.forgetLater(ended));
    this.runs.set(run.id, begun);
    this.newest.set(run.channel, begun);
    return begun.record;
  }

  local(name: RunName): LocalRun | undefined {
    return this.runOf(name);
  }

  async append(append: RunAppend): Promise<AppendResult> {
    return this.runOf(append)?.append(append.after, append.chunks) ?? 'gone';
  }

  async end(name: RunName, chunks: readonly RunChunk[], isLost: boolean): Promise<boolean> {
    return this.runOf(name)?.end(chunks, isLost) ?? false;
  }

  async find(channel: string, id?: string): Promise<RunRecord | undefined> {
    const run = id === undefined ? this.newest.get(channel) : this.runOf({ channel, id });
    return run?.record;
  }

  async read(
    name: RunName,
    after: number,
    limit: number,
  ): Promise<readonly RunChunk[] | undefined> {
    return this.runOf(name)?.read(after, limit);
  }

  follow(name: RunName, onChunks: OnChunks): () => void {
    return this.followIn(this.runOf(name)?.followers, onChunks);
  }

  followEnd(name: RunName, onChunks: OnChunks): () => void {
    return this.followIn(this.runOf(name)?.endFollowers, onChunks);
  }

  async close(): Promise<void> {
    this.timers.forEach((timer) => clearTimeout(timer));
    this.runs.forEach(({ followers, endFollowers }) => {
      followers.clear();
      endFollowers.clear();
    });
    this.runs.clear();
    this.newest.clear();
  }

  private runOf({ channel, id }: RunName): MemoryRun | undefined {
    const run = this.runs.get(id);
    return run?.channel === channel ? run : undefined;
  }

  private followIn(followers: Set<OnChunks> | undefined, onChunks: OnChunks): () => void {
    let isFollowed = true;
    followers?.add(onChunks);
    queueMicrotask(() => isFollowed && onChunks());
    return () => {
      isFollowed = false;
      followers?.delete(onChunks);
    };
  }

  private forgetLater(run: MemoryRun): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.runs.delete(run.id);
      if (this.newest.get(run.channel) === run) {
        this.newest.delete(run.channel);
      }
    }, run.keep).unref();
    this.timers.add(timer);
  }
}
