import { Outage } from '../../../channel/outage.js';
import { SseError } from '../../../channel/sse-error.js';
import { refusalOf } from '../../redis/redis-refusal.js';
import type { RedisStreams } from '../../redis/redis-streams.js';

/** After this many unanswered beats on a working connection, every instance polls for itself. */
const MOST_UNANSWERED = 16;

/** Notices and logs that instances cannot share their polls. All poll then, as otherwise none might. */
export class SharingOutage {
  private readonly outage: Outage;
  /** The number of beats since the last answered one. */
  private unanswered = 0;
  /** Whether Redis is not connected, so that nobody could poll either. */
  private isDown = false;

  /** @param onChange called when `lasts` has changed */
  constructor(
    private readonly streams: RedisStreams,
    private readonly key: string,
    private readonly onChange: () => void,
  ) {
    this.outage = new Outage(streams.logger, 'cache');
  }

  get lasts(): boolean {
    return this.outage.lasts;
  }

  noteDue(): void {
    if (++this.unanswered > MOST_UNANSWERED && !this.isDown) {
      this.begin('no reply in time');
    }
  }

  noteAttempt(): void {
    this.isDown = false;
  }

  noteFailure(error: Error): void {
    const { address } = this.streams.connection;
    this.isDown = error instanceof SseError;
    if (!this.isDown && refusalOf(error, address, this.key) !== undefined) {
      this.begin(error.message);
    }
  }

  noteAnswered(): void {
    this.unanswered = 0;
  }

  /** Redis knows all that this instance wants. */
  noteWorks(): void {
    if (this.outage.lasts) {
      this.outage.end('One instance polls keys for all again.');
      this.onChange();
    }
  }

  private begin(reason: string): void {
    if (!this.outage.lasts) {
      this.outage.begin(
        `Instances cannot agree through Redis at ${this.streams.connection.address} on which one polls ` +
          `keys: ${reason}. Until they can, each polls the keys that it reads. They need the keys ` +
          `${this.key.replace('instances', '*')}, and the rights that docs/redis.md lists.`,
      );
      this.onChange();
    }
  }
}
