import { monotonicNow } from '../../channel/clock.js';
import type {
  AppendResult,
  LocalRun,
  NewRun,
  OnChunks,
  RunChunk,
  RunRecord,
} from '../../channel/runs.js';

/**
 * One run, while it lasts and for some time after. It is a class, and no object with the fields of another
 * spread into it: V8 reads those slowly, and a run is read for each chunk.
 */
export class MemoryRun implements LocalRun {
  readonly channel: string;
  readonly id: string;
  /** How long the run is kept after its end, in milliseconds. */
  readonly keep: number;
  readonly chunks: RunChunk[] = [];
  readonly followers = new Set<OnChunks>();
  hasEnded = false;
  private readonly format: string;
  private readonly lease: number;
  private leaseUntil: number;
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
    const { channel, id, format, chunks, hasEnded, leaseUntil } = this;
    const leaseLeft = leaseUntil - monotonicNow();
    return { channel, id, format, head: chunks.length, hasEnded, leaseLeft };
  }

  append(after: number, chunks: readonly RunChunk[]): AppendResult {
    const head = this.chunks.length;
    if (after > head) {
      return 'gone';
    }
    if (this.hasEnded) {
      return this.wasEnded || after + chunks.length > head ? 'ended' : 'appended';
    }
    this.leaseUntil = monotonicNow() + this.lease;
    this.add(after === head ? chunks : chunks.slice(head - after));
    return 'appended';
  }

  /** @returns whether the run has ended, by this call or before */
  end(chunks: readonly RunChunk[], isLost: boolean): boolean {
    if (!this.hasEnded && (!isLost || this.leaseUntil <= monotonicNow())) {
      this.wasEnded = true;
      this.add(chunks);
    }
    return this.hasEnded;
  }

  private add(chunks: readonly RunChunk[]): void {
    const head = this.chunks.length;
    for (const chunk of chunks) {
      this.chunks.push(chunk);
    }
    if (chunks.length === 0) {
      return;
    }
    if (chunks[chunks.length - 1]!.end) {
      this.hasEnded = true;
      this.onEnd(this);
    }
    for (const onChunks of this.followers) {
      onChunks(head, chunks);
    }
  }
}
