import { backoff } from '../../channel/backoff.js';

/** A connection counts as dead when the server has sent nothing for this long. */
const REPLY_TIMEOUT_MS = 4_000;
const RETRY = { first: 50, most: 2_000 };

/** The options in which a subscriber's client differs from its original. */
export const SUBSCRIBER_OPTIONS = {
  connectionName: 'nestjs-sse-channels-subscriber',
  lazyConnect: true,
  keyPrefix: '',
  readOnly: false,
  // We subscribe again ourselves, because we then have to read the missed events.
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: 0,
  socketTimeout: REPLY_TIMEOUT_MS,
  disconnectTimeout: 200,
  reconnectOnError: null,
  // ioredis counts attempts from the last success.
  retryStrategy: (attempt: number) => backoff(attempt - 1, RETRY),
} as const;
