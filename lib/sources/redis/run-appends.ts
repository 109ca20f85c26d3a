import { AsyncLocalStorage } from 'node:async_hooks';
import { Outage } from '../../channel/outage.js';
import { runChunkText } from '../../channel/run-text.js';
import type { AppendResult, RunAppend } from '../../channel/runs.js';
import { shuttingDown } from '../../channel/shutting-down.js';
import { RUN_APPEND } from './lua/lua.generated.js';
import { callScript } from './redis-call.js';
import { refusalOf, replyError } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';

/** The most runs, and about the most bytes, that share a call. */
const CALL_RUNS = 64;
const CALL_SIZE = 524_288;

/** The key that names the channel's newest run, the run's record, its chunks. */
export type RunKeys = readonly [runs: string, record: string, chunks: string];

/** An append that waits for the call, with the functions that report its outcome. */
interface Waiting {
  readonly keys: RunKeys;
  readonly args: readonly (string | number)[];
  readonly size: number;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}

/** Sends the appends of one moment in few calls. In a Cluster each has its own, as their keys are in different slots. */
export class RunAppends {
  private waiting: Waiting[] = [];
  private isSendDue = false;
  private readonly detach = AsyncLocalStorage.snapshot();
  private isStopped = false;
  /** While Redis takes chunks, and does not publish them. */
  private readonly silence: Outage;

  constructor(private readonly streams: RedisStreams) {
    this.silence = new Outage(streams.logger, 'runs');
  }

  /** @throws SseError `CLOSED` and `UNAVAILABLE`, and what Redis answers */
  add(keys: RunKeys, { after, chunks }: RunAppend): Promise<AppendResult> {
    if (this.isStopped) {
      return Promise.reject(shuttingDown());
    }
    const texts = chunks.map(runChunkText);
    const size = texts.reduce((sum, text) => sum + text.length, 0);
    return new Promise((resolve, reject) => {
      const isEnd = chunks.at(-1)?.end === true;
      const args = [after, isEnd ? 1 : 0, texts.length, ...texts];
      this.waiting.push({ keys, args, size, resolve, reject });
      if (!this.isSendDue) {
        this.isSendDue = true;
        // Whoever appends does so for all its runs at once.
        this.detach(() => queueMicrotask(this.send));
      }
    });
  }

  stop(): void {
    this.isStopped = true;
    this.waiting.splice(0).forEach(({ reject }) => reject(shuttingDown()));
  }

  private readonly send = (): void => {
    this.isSendDue = false;
    const most = this.streams.connection.isCluster ? 1 : CALL_RUNS;
    let [calls, size]: [Waiting[], number] = [[], 0];
    for (const each of this.waiting.splice(0)) {
      calls.push(each);
      size += each.size;
      if (calls.length === most || size >= CALL_SIZE) {
        void this.call(calls);
        [calls, size] = [[], 0];
      }
    }
    if (calls.length > 0) {
      void this.call(calls);
    }
  };

  private async call(appends: readonly Waiting[]): Promise<void> {
    const { server, connection } = this.streams;
    try {
      await server.known();
      const answers = (await callScript(connection, {
        script: RUN_APPEND,
        keys: appends.flatMap(({ keys }) => keys),
        args: [server.publishCommand, ...appends.flatMap(({ args }) => args)],
      })) as readonly string[];
      this.noteSilence(answers[appends.length], appends[0]!.keys);
      appends.forEach(({ resolve, reject }, nth) => {
        const answer = answers[nth]!;
        if (answer.startsWith('!')) {
          reject(replyError(answer.slice(1)));
        } else {
          resolve(answer as AppendResult);
        }
      });
    } catch (error) {
      appends.forEach(({ reject }) => reject(error as Error));
    }
  }
  /** Tells the operator why followers hear of chunks late: they find them when streams are compared. */
  private noteSilence(untold: string | undefined, [, , chunks]: RunKeys): void {
    if (untold === undefined) {
      this.silence.end('Redis publishes the chunks of runs again.');
      return;
    }
    const refusal = refusalOf(replyError(untold), this.streams.connection.address, chunks);
    this.silence.begin(
      `Those who follow runs hear of chunks late, as Redis does not publish them: ${refusal?.message ?? untold}`,
    );
  }
}
