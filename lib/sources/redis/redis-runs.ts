import { reasonOf } from '../../channel/reason.js';
import { runChunkFrom, runChunkText } from '../../channel/run-text.js';
import type {
  AppendResult,
  NewRun,
  OnChunks,
  RunAppend,
  RunChunk,
  RunName,
  OwnRunStore,
  RunRecord,
} from '../../channel/runs.js';
import { SseError } from '../../channel/sse-error.js';
import { RUN_BEGIN, RUN_END, RUN_FIND, RUN_READ } from './lua/lua.generated.js';
import { callRedis, callScript, type RedisScript } from './redis-call.js';
import { refusalOf } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import { RunAppends, type RunKeys } from './run-appends.js';
import { RunFollowers } from './run-followers.js';

/** About the most bytes of chunks that one script reads. */
const READ_BYTES = 262_144;
/** How often a run is begun anew, as another one has begun and lost its record meanwhile. */
const MOST_TRIES = 8;

/** A run's record as the scripts answer it. */
type Told = readonly [id: string, format: string, head: string, ended: number, leaseLeft: string];

/**
 * Keeps runs in Redis. All keys of a channel's runs are in the hash slot of its stream, and each operation is
 * one script, which may run twice: a run's chunks have numbers, and begin and end of a run are states.
 */
export class RedisRuns implements OwnRunStore {
  private readonly appends: RunAppends;
  private readonly followers: RunFollowers;

  constructor(
    private readonly streams: RedisStreams,
    /** The key of a channel's stream. @throws SseError `INVALID_CHANNEL` */
    private readonly keyOf: (channel: string) => string,
  ) {
    this.appends = new RunAppends(streams);
    this.followers = new RunFollowers(streams);
  }

  async begin({ channel, id, format, lease, keep }: NewRun): Promise<RunRecord> {
    const args = [id, format, lease, keep, this.streams.connection.isCluster ? 1 : 0];
    const keys = this.keysOf(channel, id);
    let told = await this.call(RUN_BEGIN, keys, args);
    for (let tries = 0; typeof told === 'string' && tries < MOST_TRIES; tries++) {
      told = await this.call(RUN_BEGIN, [...keys, `${keys[0]}:${told}`], args);
    }
    if (typeof told === 'string') {
      const text = `Redis did not take the run: others keep beginning runs in the channel ${JSON.stringify(channel)}.`;
      throw new SseError('UNAVAILABLE', text);
    }
    return recordOf(channel, told);
  }

  async append(append: RunAppend): Promise<AppendResult> {
    const keys = this.keysOf(append.channel, append.id);
    return this.asked(keys[0], () => this.appends.add(keys, append));
  }

  async end(
    { channel, id }: RunName,
    chunks: readonly RunChunk[],
    isLost: boolean,
  ): Promise<boolean> {
    await this.streams.server.known();
    const { publishCommand } = this.streams.server;
    const args = [publishCommand, isLost ? 1 : 0, ...chunks.map(runChunkText)];
    return (await this.call(RUN_END, this.keysOf(channel, id), args)) === 1;
  }

  async find(channel: string, id?: string): Promise<RunRecord | undefined> {
    const runs = this.runsKey(channel);
    // Two calls, as the key of a record must be known to whoever calls a script.
    const name = id ?? (await this.newest(runs));
    if (typeof name !== 'string') {
      return undefined;
    }
    const told = await this.call(RUN_FIND, [`${runs}:${name}`], [name]);
    return told === null ? undefined : recordOf(channel, told);
  }

  async read(
    { channel, id }: RunName,
    after: number,
    limit: number,
  ): Promise<readonly RunChunk[] | undefined> {
    const chunks: RunChunk[] = [];
    const [, ...keys] = this.keysOf(channel, id);
    for (;;) {
      const place = after + chunks.length;
      const args = [place, limit - chunks.length, READ_BYTES];
      const answer = (await this.call(RUN_READ, keys, args)) as readonly string[] | null;
      if (answer === null) {
        return undefined;
      }
      const [head, ...texts] = answer;
      chunks.push(...texts.map(runChunkFrom));
      if (chunks.length >= limit || after + chunks.length >= Number(head)) {
        return chunks;
      }
    }
  }

  follow({ channel, id }: RunName, onChunks: OnChunks): () => void {
    const [, record, chunks] = this.keysOf(channel, id);
    return this.followers.add({ record, field: 'h', on: chunks }, onChunks);
  }

  followEnd({ channel, id }: RunName, onChunks: OnChunks): () => void {
    const [, record] = this.keysOf(channel, id);
    return this.followers.add({ record, field: 'e', on: record }, onChunks);
  }

  async close(): Promise<void> {
    this.appends.stop();
    this.followers.stop();
  }

  private newest(runs: string): Promise<unknown> {
    const { connection } = this.streams;
    return this.asked(runs, async () => callRedis(await connection.client(), 'GET', runs));
  }

  private call(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { connection } = this.streams;
    return this.asked(keys[0]!, () => callScript(connection, { script, keys, args }));
  }

  /** @param key stands in an error's text */
  private async asked<T>(key: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw this.errorFor(error as Error, key);
    }
  }

  private errorFor(error: Error, key: string): SseError {
    const { connection } = this.streams;
    const { address } = connection;
    const refusal = refusalOf(error, address, key);
    if (refusal) {
      return refusal;
    }
    const text = `Redis at ${address} did not take the run: ${reasonOf(error)}`;
    return connection.known(
      error instanceof SseError ? error : new SseError('UNAVAILABLE', text, { cause: error }),
    );
  }

  /** Names the newest run of a channel. The keys of each run begin with it. */
  private runsKey(channel: string): string {
    return `${this.keyOf(channel)}:run`;
  }

  private keysOf(channel: string, id: string): RunKeys {
    const runs = this.runsKey(channel);
    const record = `${runs}:${id}`;
    return [runs, record, `${record}:chunks`];
  }
}

function recordOf(channel: string, told: unknown): RunRecord {
  const [id, format, head, ended, leaseLeft] = told as Told;
  return {
    channel,
    id,
    format,
    head: Number(head),
    hasEnded: ended === 1,
    leaseLeft: Number(leaseLeft),
  };
}
