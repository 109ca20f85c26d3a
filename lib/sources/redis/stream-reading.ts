import type { GatheredLog } from '../../channel/gathered-log.js';
import { LimitedLog } from '../../channel/limited-log.js';
import { reasonOf } from '../../channel/reason.js';
import type { SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { Turns } from '../../channel/turns.js';
import { digestOf, indexKey } from './own-ids.js';
import { LOCATE, PAGE, TAIL, VERIFY } from './lua/lua.generated.js';
import { callScript, runScripts, type RedisReply, type ScriptCall } from './redis-call.js';
import type { RedisConnection } from './redis-connection.js';
import type { RedisServer } from './redis-server.js';
import type { RawEntry } from './stream-entry.js';
import { StreamRefusals } from './stream-refusals.js';
import { isStreamId } from './stream-id.js';

/** The most pages that we read at a time: while Redis reads a page, it serves nobody else. */
const PAGES_AT_A_TIME = 16;
/** About the most bytes of one page, so that reading it blocks nobody for long. */
const PAGE_BYTES = 262_144;
/** The most streams whose last loss we remember, so that we log it once. */
const MAX_LOSSES = 1_000;

/** Whether an entry is there, was trimmed or was lost; and where the stream ends. */
export interface Verdict {
  readonly what: 'here' | 'trimmed' | 'lost';
  readonly tail: string;
}

/** A position is in the stream, is a publisher's id (with its score), or is gone (with the oldest id). */
export interface Located {
  readonly what: 'here' | 'own' | 'gone';
  readonly where: string;
}

/** The range of entries to read, as XRANGE takes it. */
export interface PageRange {
  readonly from: string;
  /** Default: the last one. */
  readonly to?: string;
  readonly count: number;
}

/** Entries in their order, and whether the range has no others. */
export interface EntryPage {
  readonly entries: readonly RawEntry[];
  readonly last: boolean;
}

/** Reads streams, and logs their faults. */
export class StreamReading {
  private readonly refusals: StreamRefusals;
  private readonly tailRefusals: StreamRefusals;
  private readonly pages = new Turns(PAGES_AT_A_TIME);
  /** For each stream the announcement of the loss that was logged last. */
  private readonly losses = new Map<string, string>();
  private readonly limitedLog: LimitedLog;
  private lastSkipped = '';
  /** The later version that was logged last. */
  private laterVersion: string | undefined;
  /** Called when a stream has lost entries, after readers have got the announcement. */
  onLoss: (key: string) => void = () => undefined;

  /** @param age how long a reading keeps a stream from expiring, in ms; 0 for ever */
  constructor(
    private readonly connection: RedisConnection,
    private readonly server: RedisServer,
    private readonly prefix: string,
    private readonly age: number,
    private readonly logger: SseLogger,
    private readonly gatheredLog: GatheredLog,
  ) {
    this.refusals = new StreamRefusals(connection.address, this.gatheredLog);
    this.tailRefusals = new StreamRefusals(connection.address, this.gatheredLog);
    this.limitedLog = new LimitedLog(logger);
  }

  /**
   * Reads entries as XRANGE does, but no more than about `PAGE_BYTES`; two at least.
   * @param signal ends the reading, with `CLOSED`
   */
  async page(
    key: string,
    { from, to = '+', count }: PageRange,
    signal?: AbortSignal,
  ): Promise<EntryPage> {
    const args = [from, to, count, PAGE_BYTES];
    const call = { script: PAGE, keys: [key], args };
    const reply = await this.pages.take(() => this.run(call, signal));
    const [entries, last] = reply as [readonly RawEntry[], number];
    return { entries, last: last === 1 };
  }

  /**
   * Finds the place of a position that a client sent, without reading an event.
   * @param signal ends the reading, with `CLOSED`
   */
  async locate(key: string, position: string, signal?: AbortSignal): Promise<Located> {
    const call = {
      script: LOCATE,
      keys: this.keysOf(key),
      args: [isStreamId(position) ? position : '', digestOf(position)],
    };
    const [what, where] = (await this.run(call, signal)) as [Located['what'], string];
    return { what, where };
  }

  /** Finds out whether an entry is there. If it was lost, the script announces that to all readers. */
  async verify(key: string, id: string): Promise<Verdict> {
    await this.server.known();
    const args = [id, this.server.publishCommand, this.age];
    const reply = await this.run({ script: VERIFY, keys: this.keysOf(key), args });
    const [what, tail] = reply as [Verdict['what'], string];
    if (what === 'lost') {
      this.onLoss(key);
      this.noteLoss(key, tail, `${id} is no longer there.`);
    }
    return { what, tail };
  }

  /** Reads for each stream where it ends, or the error. */
  async tails(keys: readonly string[]): Promise<readonly RedisReply[]> {
    let replies: readonly RedisReply[];
    try {
      const args = [this.age];
      replies = await runScripts(
        await this.connection.client(),
        keys.map((key) => ({ script: TAIL, keys: this.keysOf(key), args })),
      );
    } catch (error) {
      replies = keys.map(() => ({ error: error as Error }));
    }
    replies.forEach((reply, index) => {
      if ('ok' in reply) {
        this.tailRefusals.forget(keys[index]!);
      } else {
        this.tailRefusals.note(keys[index]!, reply.error);
      }
    });
    return replies;
  }

  /** Logs an entry that cannot be sent. Clients receive a reset in its place. */
  noteSkipped(key: string, id: string, reason: string): void {
    const what = `${key} ${id}`;
    // Several feeds of a stream read the same.
    if (what !== this.lastSkipped) {
      this.lastSkipped = what;
      this.limitedLog.warn(
        `The entry ${id} of the stream ${key} cannot be sent: ${reason} Its clients receive sse:reset.`,
      );
    }
  }

  /** Logs that a later version of this package has written entries that this one cannot read. */
  noteLater(key: string, version: string): void {
    if (this.laterVersion !== version) {
      this.laterVersion = version;
      this.logger.warn(
        `The stream ${key} holds entries of the format ${version}, which a later version of ` +
          'nestjs-sse-channels writes. Clients of this instance receive sse:reset in their place. ' +
          'Update this instance.',
      );
    }
  }

  /** Logs a message on a stream's channel that no version of this package writes. */
  noteForeign(key: string): void {
    this.limitedLog.warn(
      `Another program published a message on the channel of ${key}. We read the stream instead.`,
    );
  }

  forget(key: string): void {
    this.refusals.forget(key);
    this.tailRefusals.forget(key);
  }

  private keysOf(key: string): readonly string[] {
    return [key, indexKey(key, this.prefix)];
  }

  /** Runs a script, and logs a refusal of Redis, as callers retry for ever without a word. */
  private async run(call: ScriptCall, signal?: AbortSignal): Promise<unknown> {
    const key = call.keys[0]!;
    try {
      if (signal?.aborted === true) {
        throw new SseError('CLOSED', `Nobody waits any more for what the stream ${key} holds.`);
      }
      const reply = await callScript(this.connection, call);
      this.refusals.forget(key);
      return reply;
    } catch (error) {
      this.refusals.note(key, error);
      if (error instanceof SseError && error.code === 'CLOSED') {
        throw error;
      }
      const message = `The stream ${key} cannot be read: ${reasonOf(error)}`;
      throw new SseError('UNAVAILABLE', message, { cause: error });
    }
  }

  /**
   * Logs that a stream has lost entries. The feeds of the stream and the publisher may all notice it.
   * @param announcement the id of the entry that tells readers
   */
  noteLoss(key: string, announcement: string, why = 'The server does not know of them.'): void {
    if (this.losses.get(key) === announcement) {
      return;
    }
    if (this.losses.size >= MAX_LOSSES) {
      this.losses.clear();
    }
    this.losses.set(key, announcement);
    this.gatheredLog.note(key, {
      level: 'warn',
      cause: 'entries were lost',
      line: `The stream ${key} has lost entries: ${why} Its clients receive sse:reset.`,
      several: (count, keys) =>
        `${count} streams have lost entries: ${keys}. Their clients receive sse:reset.`,
    });
  }
}
