import { LimitedLog } from '../../channel/limited-log.js';
import type { SseLogger } from '../../channel/source.js';
import { digestOf, indexKey } from './own-ids.js';
import { runScript, type ScriptCall } from './redis-batch.js';
import { callRedis } from './redis-call.js';
import type { RedisConnection } from './redis-connection.js';
import type { RedisClient } from './redis-option.js';
import type { RedisServer } from './redis-server.js';
import type { RawEntry } from './stream-entry.js';
import { StreamRefusals } from './stream-refusals.js';
import { isStreamId } from './stream-id.js';
import { LOCATE, VERIFY } from './position-scripts.js';

/** How many streams' losses are remembered, so that each is logged once. */
const MAX_LOSSES = 1_000;

/** Why an entry that was there is not found, and where the stream ends now. */
export interface Verdict {
  readonly what: 'here' | 'trimmed' | 'lost';
  readonly tail: string;
}

/** Where a position is: there; an own id, with its score; or gone, with the oldest id there is. */
export interface Located {
  readonly what: 'here' | 'own' | 'gone';
  readonly where: string;
}

/** Reads streams, and logs what is wrong with them. */
export class StreamReading {
  private readonly refusals: StreamRefusals;
  /** The announcements of losses that were logged, by stream. */
  private readonly losses = new Map<string, string>();
  private readonly limitedLog: LimitedLog;
  private lastSkipped = '';
  /** Called when a stream has lost entries, which is then announced to everybody. */
  onLoss: (key: string) => void = () => undefined;

  /** @param age for how long a stream that is looked at is kept, in ms; 0 for ever */
  constructor(
    private readonly connection: RedisConnection,
    private readonly server: RedisServer,
    private readonly prefix: string,
    private readonly age: number,
    private readonly logger: SseLogger,
  ) {
    this.refusals = new StreamRefusals(connection.address, logger);
    this.limitedLog = new LimitedLog(logger);
  }

  range(key: string, from: string, to: string, count: number): Promise<readonly RawEntry[]> {
    return this.reading(key, async (client) => {
      const command = ['XRANGE', key, from, to, 'COUNT', count] as const;
      return (await callRedis(client, ...command)) as readonly RawEntry[];
    });
  }

  /** Finds the place of what a client has sent as its position, without reading an event. */
  async locate(key: string, position: string): Promise<Located> {
    const [what, where] = (await this.run({
      script: LOCATE,
      keys: [key, indexKey(key, this.prefix)],
      args: [isStreamId(position) ? position : '', digestOf(position)],
    })) as [Located['what'], string];
    return { what, where };
  }

  /** Finds out what became of an entry; when it was lost, everybody is told. */
  async verify(key: string, id: string): Promise<Verdict> {
    await this.server.known();
    const args = [id, this.server.publishCommand, this.age];
    const reply = await this.run({ script: VERIFY, keys: [key], args });
    const [what, tail] = reply as [Verdict['what'], string];
    if (what === 'lost') {
      this.onLoss(key);
      this.noteLoss(key, id, tail);
    }
    return { what, tail };
  }

  /** What stands under this id of a stream cannot be sent, and clients are told so. */
  noteSkipped(key: string, id: string, reason: string): void {
    const what = `${key} ${id}`;
    // Several feeds of a stream read the same.
    if (what !== this.lastSkipped) {
      this.lastSkipped = what;
      this.limitedLog.warn(
        `The entry ${id} of the stream ${key} was left out: ${reason} Its clients receive sse:reset.`,
      );
    }
  }

  /** What was published on a stream's channel is none of our messages. */
  noteForeign(key: string): void {
    this.limitedLog.warn(
      `A message on the channel of ${key} is none of ours. The stream is read instead.`,
    );
  }

  /** Nobody reads this stream any more. */
  forget(key: string): void {
    this.refusals.forget(key);
  }

  private run(call: ScriptCall): Promise<unknown> {
    return this.reading(call.keys[0]!, async (client) => {
      const reply = await runScript(client, call);
      if ('error' in reply) {
        throw reply.error;
      }
      return reply.ok;
    });
  }

  /** What is tried again for ever must not fail in silence. */
  private async reading<T>(key: string, read: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      const result = await read(await this.connection.client());
      this.refusals.forget(key);
      return result;
    } catch (error) {
      this.refusals.note(key, error);
      throw error;
    }
  }

  /** Several may notice one loss: the feeds of the stream, and the publisher. */
  private noteLoss(key: string, id: string, announcement: string): void {
    if (this.losses.get(key) === announcement) {
      return;
    }
    if (this.losses.size >= MAX_LOSSES) {
      this.losses.clear();
    }
    this.losses.set(key, announcement);
    this.logger.warn(
      `The stream ${key} has lost entries: ${id} is no longer there. Its clients receive sse:reset.`,
    );
  }
}
