import { LimitedLog } from '../../channel/limited-log.js';
import type {
  PresenceCounts,
  PresenceOptions,
  PresencePage,
  PresenceSeat,
  PresenceSink,
  PresenceStore,
} from '../../channel/presence.js';
import { reasonOf } from '../../channel/reason.js';
import { SseError } from '../../channel/sse-error.js';
import { PRESENCE, PRESENCE_LIST } from './lua/lua.generated.js';
import type { CallKind } from './numbered-call.js';
import { NumberedCalls } from './numbered-calls.js';
import { indexKey } from './own-ids.js';
import { PresenceBeats } from './presence-beats.js';
import { callScript } from './redis-call.js';
import { refusalOf } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import { clientText, memberOf, removal, seatChange } from './seat-text.js';

/** The most seats of a dead instance that one call removes from a channel. */
const REMOVED_AT_ONCE = 200;
/** After how long we put seats again that Redis has refused, at the latest, in milliseconds. */
const REFUSED_MS = 10_000;

/** What Redis has refused in a channel. */
interface Refused {
  /** Puts it again. */
  readonly timer: NodeJS.Timeout;
  /** The seats that have gone, by client: nobody else puts these again. */
  readonly gone: Map<string, PresenceSeat>;
}

/**
 * Keeps who is present in Redis: for each channel a hash in the hash slot of its stream, so that a change
 * and its event are one step. What is common to all channels, as who lives, is in a slot of its own.
 */
export class RedisPresence implements PresenceStore {
  private readonly calls: NumberedCalls;
  private readonly beats: PresenceBeats;
  private readonly log: LimitedLog;
  private readonly refused = new Map<string, Refused>();
  private isClosed = false;

  constructor(
    private readonly streams: RedisStreams,
    /** The key of a channel's stream. @throws SseError `INVALID_CHANNEL` */
    private readonly keyOf: (channel: string) => string,
    private readonly sink: PresenceSink,
    private readonly options: PresenceOptions,
  ) {
    this.log = new LimitedLog(streams.logger);
    this.calls = new NumberedCalls(streams, presenceKind(streams));
    this.beats = new PresenceBeats(streams, options.timeout, {
      lost: () => sink.lost(),
      remove: (instance, channel) => this.remove(instance, channel),
    });
  }

  /** Begins to show that this instance lives. */
  start(): void {
    this.beats.start();
  }

  async put(seats: readonly PresenceSeat[]): Promise<void> {
    await Promise.all(seats.map((seat) => this.beats.busy(this.putOne(seat))));
  }

  async list(channel: string, after: string | undefined, limit: number): Promise<PresencePage> {
    const [connections, , ids, seats] = await this.read(channel, clientText(after), limit);
    return { members: ids.map((id, nth) => memberOf(id, seats[nth]!)), connections };
  }

  async count(channel: string): Promise<PresenceCounts> {
    const [connections, members] = await this.read(channel, '', 0);
    return { members, connections };
  }

  watch(channel: string, onChange: () => void): () => void {
    return this.streams.listen(this.presenceKey(channel), {
      message: onChange,
      subscribed: onChange,
    });
  }

  /** Puts the seats in a channel again, as Redis may have lost them. */
  lostIn(channel: string): void {
    if (!this.isClosed) {
      this.sink.lost(channel);
    }
  }

  async close(leaveAfter: number): Promise<void> {
    this.stop();
    await Promise.all([this.calls.stop(), this.beats.end(leaveAfter)]);
  }

  /** Stops at once, when the application does not start, and after `close()`. */
  stop(): void {
    this.isClosed = true;
    this.refused.forEach(({ timer }) => clearTimeout(timer));
    this.beats.stop();
  }

  private async putOne(seat: PresenceSeat): Promise<void> {
    const { channel } = seat;
    this.refused.get(channel)?.gone.delete(clientText(seat.client));
    try {
      await this.beats.register(channel);
      const { instance, formers } = this.beats;
      const outcome = await this.change(channel, seatChange(seat, instance, formers));
      this.beats.note(channel, outcome.includes('e'));
    } catch (error) {
      this.refuse(seat, error);
    }
  }

  /** Removes the seats of a dead instance. Resolves with how many there were. */
  private async remove(instance: string, channel: string): Promise<number> {
    let [sum, count]: [number, number] = [0, 0];
    do {
      count = Number.parseInt(
        await this.change(channel, removal(instance, REMOVED_AT_ONCE, channel)),
      );
      sum += count;
    } while (count === REMOVED_AT_ONCE);
    return sum;
  }

  private async change(channel: string, change: string): Promise<string> {
    const key = this.keyOf(channel);
    const { prefix } = this.streams.settings;
    const keys = [key, indexKey(key, prefix), this.presenceKey(channel)];
    const outcome = await this.calls.publish({ data: change }, ...keys);
    if (!this.isClosed) {
      if (outcome.includes('o')) {
        this.sink.occupied(channel);
      } else if (outcome.includes('v')) {
        this.sink.vacated(channel);
      }
    }
    return outcome;
  }

  /** Redis has refused a change of a channel: that must not keep others from theirs. */
  private refuse(seat: PresenceSeat, error: unknown): void {
    const { channel, client, connections } = seat;
    if (this.isClosed) {
      return;
    }
    this.log.error(
      `Who is present in the channel ${JSON.stringify(channel)} is not known: ${reasonOf(error)}`,
    );
    let refused = this.refused.get(channel);
    if (!refused) {
      const pause = Math.min(REFUSED_MS, this.options.timeout);
      const timer = setTimeout(() => this.putAgain(channel), pause).unref();
      this.refused.set(channel, (refused = { timer, gone: new Map() }));
    }
    if (connections === 0) {
      refused.gone.set(clientText(client), seat);
    }
  }

  private putAgain(channel: string): void {
    const { gone } = this.refused.get(channel)!;
    this.refused.delete(channel);
    void this.put([...gone.values()]);
    this.sink.lost(channel);
  }

  private async read(
    channel: string,
    after: string,
    limit: number,
  ): Promise<readonly [number, number, readonly string[], readonly string[]]> {
    const { connection } = this.streams;
    const key = this.presenceKey(channel);
    const call = { script: PRESENCE_LIST, keys: [key, `${key}:members`], args: [after, limit] };
    try {
      return (await callScript(connection, call)) as [number, number, string[], string[]];
    } catch (error) {
      const { address } = connection;
      throw (
        refusalOf(error as Error, address, key) ??
        connection.known(
          new SseError(
            'UNAVAILABLE',
            `Redis at ${address} did not tell who is present: ${reasonOf(error)}`,
            { cause: error },
          ),
        )
      );
    }
  }

  private presenceKey(channel: string): string {
    return `${this.keyOf(channel)}:presence`;
  }
}

/** Calls that change who is present: a lane is a channel. */
function presenceKind({ limits }: RedisStreams): CallKind {
  return {
    script: PRESENCE,
    isPerLane: false,
    isDeclarative: true,
    args: limits,
    argsOf: (lanes) =>
      lanes.flatMap((changes) => [String(changes.length), ...changes.map(({ data }) => data)]),
    outcomes: (_keys, answer) => answer.split(','),
  };
}
