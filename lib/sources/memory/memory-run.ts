import { monotonicNow } from '../../channel/clock.js';
import type { AppendResult, LocalRun, NewRun, RunChunk, RunRecord } from '../../channel/runs.js';

/** Takes what `OnChunks` takes, and the time of the append, on the clock of `monotonicNow()`. */
type Follower = (after?: number, chunks?: readonly RunChunk[], at?: number) => void;

/**
 * One run, while it lasts and for some time after. It is a class, and no object with the fields of another
 * spread into it: V8 reads those slowly, and a run is read for each chunk.
 */
export class MemoryRun implements LocalRun {
  readonly channel: string;
  readonly id: string;
  /** How long the run is kept after its end, in milliseconds. */
  readonly keep: number;
  readonly followers = new Set<Follower>();
  /** Those who hear only how a call of `end()` has ended it. */
  readonly endFollowers = new Set<Follower>();
  hasEnded = false;
  private readonly format: string;
  private readonly lease: number;
  private leaseUntil: number;
  /** The chunks; of one that is data only, the data: an object for each is a garbage collector's work. */
  private readonly kept: (string | RunChunk)[] = [];
  /** Whether a call of `end()` has ended it. */
  private wasEnded = false;

  /** @param onEnd called when the run has its last chunk */
  constructor(
    { channel, id, format, lease, keep }: NewRun,
    private readonly onEnd: (run: MemoryRun) => void,
  ) {
    this.channel = channel;
    this.id = id;
    this.format = format;
    this.lease = lease;
    this.keep = keep;
    this.leaseUntil = monotonicNow() + lease;
  }

  get record(): RunRecord {
    const { channel, id, format, kept, hasEnded, leaseUntil } = this;
    const leaseLeft = leaseUntil - monotonicNow();
    return { channel, id, format, head: kept.length, hasEnded, leaseLeft };
  }

  append(after: number, chunks: readonly RunChunk[], now = monotonicNow()): AppendResult {
    const head = this.kept.length;
    if (after > head) {
      return 'gone';
    }
    if (this.hasEnded) {
      return this.wasEnded || after + chunks.length > head ? 'ended' : 'appended';
    }
    this.leaseUntil = now + this.lease;
    this.add(after === head ? chunks : chunks.slice(head - after), now);
    return 'appended';
  }

  /** @returns whether the run has ended, by this call or before */
  end(chunks: readonly RunChunk[], isLost: boolean): boolean {
    const now = monotonicNow();
    if (!this.hasEnded && (!isLost || this.leaseUntil <= now)) {
      this.wasEnded = true;
      const head = this.kept.length;
      this.add(chunks, now);
      this.endFollowers.forEach((onChunks) => onChunks(head, chunks));
    }
    return this.hasEnded;
  }

  /** As `RunStore.read()`. */
  read(after: number, limit: number): readonly RunChunk[] | undefined {
    return after > this.kept.length
      ? undefined
      : this.kept
          .slice(after, after + limit)
          .map((chunk) => (typeof chunk === 'string' ? { data: chunk } : chunk));
  }

  private add(chunks: readonly RunChunk[], now: number): void {
    const head = this.kept.length;
    for (const chunk of chunks) {
      const { data, type, end, ending } = chunk;
      this.kept.push(type === undefined && !end && ending === undefined ? data : chunk);
    }
    if (chunks.length === 0) {
      return;
    }
    if (chunks[chunks.length - 1]!.end) {
      this.hasEnded = true;
      this.onEnd(this);
    }
    for (const onChunks of this.followers) {
      onChunks(head, chunks, now);
    }
  }
}
