import { callRedis, callScript } from '../../redis/redis-call.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import type { Change } from './own-wants.js';
import { BEAT, LEAVE, WANT } from './lua/lua.generated.js';

/** How long Redis keeps the wants of an instance that does not renew them, in milliseconds. */
const WANTS_MS = 2_000;

/** The answer of Redis to an instance's sign of life. */
interface Beat {
  /** The id of the instance that polls for all; empty while there is none. */
  readonly poller: string;
  /** Whether Redis knows this instance's wants. */
  readonly isKnown: boolean;
  /** To the poller only: the number of each instance's last change. */
  readonly changes: ReadonlyMap<string, number>;
}

/** The calls to Redis by which instances share polls. Each call may reject. */
export class SharedPollCalls {
  /** The instances that share polls. */
  readonly instances: string;
  /** The channel on which instances publish changes of their wants. */
  readonly channel: string;

  /** @param incarnation the id of this instance */
  constructor(
    private readonly streams: RedisStreams,
    readonly incarnation: string,
  ) {
    const { prefix } = streams.settings;
    this.instances = `${prefix}{pollers}:instances`;
    this.channel = `${prefix}{pollers}:changes`;
  }

  /** @param lease the key whose value is the poller */
  async beat(lease: string): Promise<Beat> {
    const keys = [lease, this.instances, this.wantsOf(this.incarnation)];
    const call = { script: BEAT, keys, args: [this.incarnation, WANTS_MS] };
    const answer = (await callScript(this.streams.connection, call)) as string[];
    const changes = new Map<string, number>();
    for (let n = 2; n < answer.length; n += 2) {
      changes.set(answer[n]!, Number(answer[n + 1]));
    }
    return { poller: answer[0]!, isKnown: answer[1] !== '', changes };
  }

  async want({ number, pairs }: Change): Promise<void> {
    const { publishCommand } = this.streams.server;
    const keys = [this.instances, this.wantsOf(this.incarnation), this.channel];
    const args = [this.incarnation, number, WANTS_MS, publishCommand, ...pairs];
    await callScript(this.streams.connection, { script: WANT, keys, args });
  }

  /** Reads all keys that an instance wants; `undefined` when the instance is gone. */
  async read(instance: string): Promise<Pick<Change, 'number' | 'pairs'> | undefined> {
    const client = await this.streams.connection.client();
    const pairs = (await callRedis(client, 'HGETALL', this.wantsOf(instance))) as string[];
    // No key has the empty name.
    const at = pairs.indexOf('');
    const [, number] = at < 0 ? [] : pairs.splice(at, 2);
    return number === undefined ? undefined : { number: Number(number), pairs };
  }

  async leave(): Promise<void> {
    const keys = [this.instances, this.wantsOf(this.incarnation), this.channel];
    const args = [this.incarnation, this.streams.server.publishCommand];
    await callScript(this.streams.connection, { script: LEAVE, keys, args });
  }

  private wantsOf(instance: string): string {
    return `${this.streams.settings.prefix}{pollers}:wants:${instance}`;
  }
}
