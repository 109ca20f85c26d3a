import { backoff } from '../../channel/backoff.js';

/** How long the server may take to give a sign of life, in milliseconds. */
const REPLY_TIMEOUT_MS = 4_000;
const RETRY = { first: 50, most: 2_000 };

/** How a connection of ours for subscriptions differs from the one it is copied from. */
export const SUBSCRIBER_OPTIONS = {
  connectionName: 'nestjs-sse-channels-subscriber',
  lazyConnect: true,
  keyPrefix: '',
  readOnly: false,
  // Subscriptions are put in place again by us, as what was missed has to be read then.
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: 0,
  socketTimeout: REPLY_TIMEOUT_MS,
  disconnectTimeout: 200,
  reconnectOnError: null,
  // Counted from the last success.
  retryStrategy: (attempt: number) => backoff(attempt - 1, RETRY),
} as const;
