import { callRedis, type RedisCommand } from './redis-call.js';
import type { RedisConnection } from './redis-connection.js';

/** About how many channels of a dead instance we work on at a time. */
const CHANNELS_AT_ONCE = 1_000;

/** Removes the seats that dead instances have left. */
export class DeadInstances {
  private readonly removing = new Set<string>();

  constructor(
    private readonly connection: RedisConnection,
    /** The key of something that is common to all channels. */
    private readonly keyOf: (name: string) => string,
    /** Removes the seats of an instance in a channel. Resolves with how many there were. */
    private readonly removeIn: (instance: string, channel: string) => Promise<number>,
  ) {}

  /**
   * Removes all seats of a dead instance. It is forgotten only once a pass has found none: seats that were
   * on their way when it died may arrive late. Until then some instance makes another pass.
   */
  async remove(instance: string): Promise<void> {
    if (this.removing.has(instance)) {
      return;
    }
    this.removing.add(instance);
    try {
      const key = this.keyOf(`channels:${instance}`);
      let [cursor, found] = ['0', 0];
      do {
        const page = await this.call('SSCAN', key, cursor, 'COUNT', CHANNELS_AT_ONCE);
        const [next, channels] = page as [string, string[]];
        const counts = await Promise.all(channels.map((name) => this.removeIn(instance, name)));
        counts.forEach((count) => (found += count));
        cursor = next;
      } while (cursor !== '0');
      if (found === 0) {
        await this.call('DEL', key);
        await this.call('ZREM', this.keyOf('dead'), instance);
      }
    } catch {
      // A later beat of some instance leads to another pass.
    } finally {
      this.removing.delete(instance);
    }
  }

  private async call(...command: RedisCommand): Promise<unknown> {
    return callRedis(await this.connection.client(), ...command);
  }
}
