import { runChunksFrom } from '../../channel/run-text.js';
import type { OnChunks } from '../../channel/runs.js';
import { runBatch } from './redis-call.js';
import type { RedisStreams } from './redis-streams.js';

/** The field `e` of a run that a call of `end()` has ended. */
const ENDED = 1;

/** What somebody on this instance follows of a run. */
export interface RunNews {
  /** The key of the run's record. */
  readonly record: string;
  /** The record's field that changes with the news: the number of the newest chunk, or whether it has ended. */
  readonly field: 'h' | 'e';
  /** The channel of the messages. */
  readonly on: string;
}

interface Followed {
  readonly news: RunNews;
  readonly followers: Set<OnChunks>;
  readonly unlisten: () => void;
  isSubscribed: boolean;
  /** What the field should be after the messages that have come. */
  told: number | undefined;
}

/**
 * Tells followers of runs about chunks, which come with messages. A lost last message has no successor that
 * would show it, so the instance compares with Redis now and then.
 */
export class RunFollowers {
  /** By the channel of the messages. */
  private readonly runs = new Map<string, Followed>();
  private readonly offAudit: () => void;

  constructor(private readonly streams: RedisStreams) {
    this.offAudit = streams.onAudit(() => this.audit());
  }

  /** Returns a function that ends it. */
  add(news: RunNews, onChunks: OnChunks): () => void {
    const { on } = news;
    const run = this.runs.get(on) ?? this.listen(news);
    // Each call is a follower of its own, also with the same function.
    const follower: OnChunks = (...args) => onChunks(...args);
    run.followers.add(follower);
    if (run.isSubscribed) {
      setImmediate(() => run.followers.has(follower) && follower());
    }
    return () => {
      run.followers.delete(follower);
      if (run.followers.size === 0 && this.runs.get(on) === run) {
        this.runs.delete(on);
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

  private listen(news: RunNews): Followed {
    const unlisten = this.streams.listen(news.on, {
      message: (text) => this.receive(run, text),
      subscribed: () => {
        run.isSubscribed = true;
        // Earlier messages may have been missed.
        missed(run);
      },
    });
    const run: Followed = {
      news,
      followers: new Set(),
      unlisten,
      isSubscribed: false,
      told: news.field === 'e' ? 0 : undefined,
    };
    this.runs.set(news.on, run);
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
    run.told = run.news.field === 'h' ? after + chunks.length : ENDED;
    run.followers.forEach((follower) => follower(after, chunks));
  }

  private async audit(): Promise<void> {
    const runs = [...this.runs.values()];
    if (runs.length === 0) {
      return;
    }
    const client = await this.streams.connection.client().catch(() => undefined);
    const replies = client
      ? await runBatch(
          client,
          runs.map(({ news }) => ['hget', news.record, news.field]),
        )
      : [];
    replies.forEach((reply, nth) => {
      const run = runs[nth]!;
      const value = 'ok' in reply && reply.ok !== null ? Number(reply.ok) : undefined;
      if (value !== run.told && this.runs.get(run.news.on) === run) {
        run.told = value;
        missed(run);
      }
    });
  }
}

/** Some chunks may have been missed. */
function missed({ followers }: Followed): void {
  followers.forEach((follower) => follower());
}
