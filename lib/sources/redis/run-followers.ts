import { runChunksFrom } from '../../channel/run-text.js';
import type { OnChunks } from '../../channel/runs.js';
import { runBatch } from './redis-call.js';
import type { RedisStreams } from './redis-streams.js';

/** A run that somebody on this instance follows. */
interface Followed {
  readonly followers: Set<OnChunks>;
  readonly unlisten: () => void;
  isSubscribed: boolean;
  /** The number of the newest chunk that a message has brought. */
  head: number | undefined;
}

/**
 * Tells followers of runs about chunks, which come with messages. A lost last message has no successor that
 * would show it, so the instance compares with Redis now and then.
 */
export class RunFollowers {
  /** By the key of the run's record. */
  private readonly runs = new Map<string, Followed>();
  private readonly offAudit: () => void;

  constructor(private readonly streams: RedisStreams) {
    this.offAudit = streams.onAudit(() => this.audit());
  }

  /**
   * @param chunks the key of the run's chunks, which is the channel of its messages as well
   * @returns a function that ends it
   */
  add(record: string, chunks: string, onChunks: OnChunks): () => void {
    const run = this.runs.get(record) ?? this.listen(record, chunks);
    // Each call is a follower of its own, also with the same function.
    const follower: OnChunks = (...args) => onChunks(...args);
    run.followers.add(follower);
    if (run.isSubscribed) {
      setImmediate(() => run.followers.has(follower) && follower());
    }
    return () => {
      run.followers.delete(follower);
      if (run.followers.size === 0 && this.runs.get(record) === run) {
        this.runs.delete(record);
        run.unlisten();
      }
    };
  }

  stop(): void {
    this.offAudit();
    for (const { followers, unlisten } of this.runs.values()) {
      followers.clear();
      unlisten();
    }
    this.runs.clear();
  }

  private listen(record: string, chunks: string): Followed {
    const unlisten = this.streams.listen(chunks, {
      message: (text) => this.receive(run, text),
      subscribed: () => {
        run.isSubscribed = true;
        // Earlier messages may have been missed.
        missed(run);
      },
    });
    const run: Followed = { followers: new Set(), unlisten, isSubscribed: false, head: undefined };
    this.runs.set(record, run);
    return run;
  }

  private receive(run: Followed, text: string): void {
    const blank = text.indexOf(' ');
    const after = Number(text.slice(0, blank));
    let chunks;
    try {
      chunks = runChunksFrom(text.slice(blank + 1));
    } catch {
      // Somebody else has published it.
      missed(run);
      return;
    }
    run.head = after + chunks.length;
    run.followers.forEach((follower) => follower(after, chunks));
  }

  private async audit(): Promise<void> {
    const records = [...this.runs.keys()];
    if (records.length === 0) {
      return;
    }
    const client = await this.streams.connection.client().catch(() => undefined);
    const replies = client
      ? await runBatch(
          client,
          records.map((record) => ['hget', record, 'h']),
        )
      : [];
    replies.forEach((reply, nth) => {
      const run = this.runs.get(records[nth]!);
      const head = 'ok' in reply && reply.ok !== null ? Number(reply.ok) : undefined;
      if (run && head !== run.head) {
        run.head = head;
        missed(run);
      }
    });
  }
}

/** Some chunks may have been missed. */
function missed({ followers }: Followed): void {
  followers.forEach((follower) => follower());
}
