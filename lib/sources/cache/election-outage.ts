import { Outage } from '../../channel/outage.js';
import { SseError } from '../../channel/sse-error.js';
import type { RedisStreams } from '../redis/redis-streams.js';
import type { ElectionCalls } from './redis-election-calls.js';

/** After so many beats without a reply in time, from a server that is connected, every instance polls. */
const PATIENCE = 16;

/** Notices that instances cannot elect, and says so: better that every one polls than that none does. */
export class ElectionOutage {
  private readonly outage: Outage;
  /** How many beats were due since the last one that was answered. */
  private unanswered = 0;
  /** Redis is not connected, so that no key could be polled either. */
  private isDown = false;

  /** @param onBegin called when instances cannot elect from now on */
  constructor(
    private readonly streams: RedisStreams,
    private readonly calls: ElectionCalls,
    private readonly onBegin: () => void,
  ) {
    this.outage = new Outage(streams.logger);
  }

  /** True while instances cannot elect. */
  get lasts(): boolean {
    return this.outage.lasts;
  }

  /** A beat is due. */
  noteDue(): void {
    if (++this.unanswered > PATIENCE && !this.isDown) {
      this.begin('no reply in time');
    }
  }

  /** Redis is to be called. */
  noteAttempt(): void {
    this.isDown = false;
  }

  /** A call has failed. */
  noteFailure(error: Error): void {
    this.isDown = error instanceof SseError;
    if (!this.isDown && this.calls.isRefusal(error)) {
      this.begin(error.message);
    }
  }

  /** A beat was answered in time. True when that ends an outage. */
  noteAnswered(): boolean {
    this.unanswered = 0;
    const { lasts } = this.outage;
    this.outage.end('The election of pollers works again.');
    return lasts;
  }

  private begin(reason: string): void {
    if (!this.outage.lasts) {
      this.outage.begin(
        `Who polls keys cannot be elected in Redis at ${this.streams.connection.address}: ${reason}. ` +
          'Until it can, each instance polls what it reads. The election needs the hashes ' +
          `${this.calls.instances} and ${this.calls.elected}, and the rights that docs/redis.md lists.`,
      );
      this.onBegin();
    }
  }
}
