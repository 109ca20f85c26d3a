import { SseError } from '../../channel/sse-error.js';
import type { RedisStreams } from './redis-streams.js';

/** A time in which events are refused: logged once when it begins, and once when it is over. */
export class SendOutage {
  private failing = false;

  constructor(private readonly streams: RedisStreams) {}

  /** The error of an event that has waited too long; `sent` when only the reply may be missing. */
  timedOut(sent: boolean): SseError {
    const message =
      `Redis at ${this.streams.connection.address} did not accept an event within ` +
      `${this.streams.settings.sendTimeout} ms (\`redisStreams.sendTimeout\`)` +
      (sent ? '; it may have been delivered, as only the reply may be missing.' : '.');
    this.begin(message);
    return new SseError('UNAVAILABLE', message);
  }

  /** The error of an event that Redis has, but too few replicas. */
  tooFewReplicas(id: string, count: number): SseError {
    const message =
      `${count} of ${this.streams.settings.minReplicas} replicas (\`redisStreams.minReplicas\`) had the event ` +
      `${id} within ${this.streams.settings.replicaTimeout} ms. It has been delivered, but a failover may lose it.`;
    this.begin(message);
    return new SseError('UNAVAILABLE', message);
  }

  /** Events are refused: the first time, the operator is told. */
  begin(message: string): void {
    if (!this.failing) {
      this.failing = true;
      this.streams.logger.error(`Events are not accepted, and send() rejects: ${message}`);
    }
  }

  /** An event was accepted. */
  end(): void {
    if (this.failing) {
      this.failing = false;
      this.streams.logger.log('Events are accepted again.');
    }
  }
}
