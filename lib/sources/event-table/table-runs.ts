import { AsyncLocalStorage } from 'node:async_hooks';
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
import { shuttingDown } from '../../channel/shutting-down.js';
import { SseError } from '../../channel/sse-error.js';
import { failureText, isDataRefusal } from '../postgres/postgres-error.js';
import { refuseReserved } from './control-log.js';
import { tableError, type TableSettings } from './event-table-error.js';
import { RunNewsLooks } from './run-news.js';
import type { RunStatements } from './run-statements.js';
import { RUNS_CHANGED, type WakeNotices } from './wake-notices.js';

/** The most appends, and about the most characters, that one statement takes. */
const BATCH_RUNS = 500;
const BATCH_SIZE = 4_194_304;
/** The most characters that one statement reads. */
const READ_SIZE = 1_048_576;

/** An append that waits for the statement, with the functions that report its outcome. */
interface Waiting {
  readonly append: RunAppend;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Keeps runs in tables beside the event table. Each has one writer, so that the numbers of its chunks are
 * its order, and what begins or ends it is a row that only one can change.
 */
export class TableRuns implements RunStore {
  private readonly news: RunNewsLooks;
  private readonly detach = AsyncLocalStorage.snapshot();
  private waiting: Waiting[] = [];
  private writing: Promise<void> | undefined;
  private isClosed = false;

  constructor(
    private readonly statements: RunStatements,
    private readonly notices: WakeNotices,
    private readonly settings: TableSettings & { readonly pollInterval: number },
  ) {
    this.news = new RunNewsLooks(statements, settings.pollInterval);
  }

  async begin(run: NewRun): Promise<RunRecord> {
    refuseReserved(run.channel);
    try {
      return await this.asked(this.statements.begin(run));
    } catch (error) {
      throw isDataRefusal(error) ? unstorable(run, error) : error;
    }
  }

  append(append: RunAppend): Promise<AppendResult> {
    if (this.isClosed) {
      return Promise.reject(shuttingDown());
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ append, resolve, reject });
      this.writing ??= this.detach(() => this.write());
    });
  }

  async end(run: RunName, chunks: readonly RunChunk[], isLost: boolean): Promise<boolean> {
    const hasEnded = await this.asked(this.statements.end(run, chunks, isLost));
    if (hasEnded) {
      this.news.wake();
      this.notices.send(RUNS_CHANGED);
    }
    return hasEnded;
  }

  async find(channel: string, id?: string): Promise<RunRecord | undefined> {
    try {
      return await this.asked(this.statements.find(channel, id));
    } catch (error) {
      if (isDataRefusal(error)) {
        return undefined;
      }
      throw error;
    }
  }

  async read(run: RunName, after: number, limit: number): Promise<readonly RunChunk[] | undefined> {
    const all: RunChunk[] = [];
    for (;;) {
      const place = after + all.length;
      const limits = { chunks: limit - all.length, size: READ_SIZE };
      const { runs } = await this.asked(
        this.statements.read([{ ...run, after: place }], limits, false),
      );
      const { head, chunks } = runs.get(0) ?? { head: -1, chunks: [] };
      if (head < place || (head > place && chunks.length === 0)) {
        return undefined;
      }
      all.push(...chunks);
      if (all.length >= limit || after + all.length >= head) {
        return all;
      }
    }
  }

  follow(run: RunName, onChunks: OnChunks): () => void {
    return this.news.add(run, onChunks);
  }

  /** Some instance has appended chunks. */
  changed(): void {
    this.news.wake();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.notices.stop();
    this.news.stop();
    this.waiting.splice(0).forEach(({ reject }) => reject(shuttingDown()));
    await this.writing;
  }

  /** Writes the appends of one moment in one statement; those that come meanwhile in the next. */
  private async write(): Promise<void> {
    // Whoever appends does so for all its runs at once.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.take();
      try {
        const results = await this.asked(this.statements.append(batch.map(({ append }) => append)));
        batch.forEach(({ append, resolve }, nth) => {
          if (results[nth] === 'appended') {
            this.news.appended(append, append.after, append.chunks);
          }
          resolve(results[nth]!);
        });
        this.notices.send(RUNS_CHANGED);
      } catch (error) {
        batch.forEach(({ reject }) => reject(error));
      }
    }
    this.writing = undefined;
  }

  private take(): readonly Waiting[] {
    let [count, size] = [0, 0];
    while (count < this.waiting.length && count < BATCH_RUNS && size < BATCH_SIZE) {
      for (const { data } of this.waiting[count++]!.append.chunks) {
        size += data.length;
      }
    }
    return this.waiting.splice(0, count);
  }

  private async asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw tableError(error, this.settings);
    }
  }
}

function unstorable({ channel }: NewRun, reason: unknown): SseError {
  return new SseError(
    'INVALID_CHANNEL',
    `The database cannot hold the name of the channel ${JSON.stringify(channel)}: ${failureText(reason)}. Use a database with the encoding UTF8, or another name.`,
    { cause: reason },
  );
}
