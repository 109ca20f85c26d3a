import { SseError } from '../../channel/sse-error.js';
import type { RedisStreams } from './redis-streams.js';

/** The error of an event that has waited too long; `sent` when only the reply may be missing. */
export function sendTimedOut({ connection, settings }: RedisStreams, sent: boolean): SseError {
  connection.felt();
  return connection.known(
    new SseError(
      'UNAVAILABLE',
      `Redis at ${connection.address} did not accept an event within ` +
        `${settings.sendTimeout} ms (\`redisStreams.sendTimeout\`)` +
        (sent ? '; it may have been delivered, as only the reply may be missing.' : '.'),
    ),
  );
}

/** The error of an event that Redis has, but that too few replicas have. */
export function tooFewReplicas({ settings }: RedisStreams, id: string, count: number): SseError {
  return new SseError(
    'UNAVAILABLE',
    `${count} of ${settings.minReplicas} replicas (\`redisStreams.minReplicas\`) had the event ` +
      `${id} within ${settings.replicaTimeout} ms. It has been delivered, but a failover may lose it.`,
  );
}
