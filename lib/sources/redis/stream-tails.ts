import { AsyncLocalStorage } from 'node:async_hooks';
import type { SseLogger } from '../../channel/source.js';
import { runScripts, type RedisReply } from './redis-batch.js';
import type { RedisConnection } from './redis-connection.js';
import { refusalOf } from './redis-refusal.js';
import { TAIL } from './stream-scripts.js';

/** How many streams one round trip asks for. */
const BATCH = 500;
/** When a stream whose tail could not be read is asked for again. */
const RETRY_MS = 500;

/** Who wants to know where streams end. */
export interface TailReader {
  /** Whether the end of this stream is still of interest. */
  isOpen(key: string): boolean;
  /** The stream's last entry has this id. */
  tailIs(key: string, id: string): void;
}

/** Asks where streams end, all that are asked for in one turn together, until it is known. */
export class StreamTails {
  private readonly asked = new Set<string>();
  /** Streams whose tail could not be read. */
  private readonly failed = new Set<string>();
  /** Streams that were refused, so that each is logged once. */
  private readonly refused = new Set<string>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private asking: NodeJS.Immediate | undefined;
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;

  /** @param age for how long a stream that is asked for is kept, in ms; 0 for ever */
  constructor(
    private readonly connection: RedisConnection,
    private readonly age: number,
    private readonly reader: TailReader,
    private readonly logger: SseLogger,
  ) {}

  ask(keys: Iterable<string>): void {
    for (const key of keys) {
      this.asked.add(key);
    }
    if (this.asked.size > 0 && !this.stopped) {
      this.asking ??= this.detach(() => setImmediate(() => void this.askAll()));
    }
  }

  stop(): void {
    this.stopped = true;
    clearImmediate(this.asking);
    clearTimeout(this.retry);
  }

  private async askAll(): Promise<void> {
    this.asking = undefined;
    const keys = [...this.asked].filter((key) => this.reader.isOpen(key));
    this.asked.clear();
    for (let start = 0; start < keys.length; start += BATCH) {
      await this.askFor(keys.slice(start, start + BATCH));
    }
  }

  private async askFor(keys: readonly string[]): Promise<void> {
    let replies: readonly RedisReply[];
    try {
      const client = await this.connection.client();
      const calls = keys.map((key) => ({ script: TAIL, keys: [key], args: [this.age] }));
      replies = await runScripts(client, calls);
    } catch (error) {
      replies = keys.map(() => ({ error: error as Error }));
    }
    keys.forEach((key, index) => {
      const reply = replies[index]!;
      if ('ok' in reply) {
        this.refused.delete(key);
        this.reader.tailIs(key, String(reply.ok));
      } else {
        this.noteRefusal(key, reply.error);
        this.failed.add(key);
      }
    });
    if (this.failed.size > 0 && !this.stopped) {
      this.retry ??= this.detach(() => setTimeout(() => this.askAgain(), RETRY_MS).unref());
    }
  }

  private askAgain(): void {
    this.retry = undefined;
    const keys = [...this.failed];
    this.failed.clear();
    this.ask(keys);
  }

  private noteRefusal(key: string, error: Error): void {
    const refusal = refusalOf(error, this.connection.address, key);
    if (refusal && !this.refused.has(key)) {
      this.refused.add(key);
      this.logger.error(`The channel of ${key} cannot be read: ${refusal.message}`);
    }
  }
}
