import { SseError } from '../../channel/sse-error.js';

/** Replies after which the same command may succeed: a node is starting or changing its role. */
const PASSING = new Set([
  'ASK',
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MOVED',
  'NOREPLICAS',
  'NOSCRIPT',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
]);

/** The text with which Redis 6.2 begins the error of a command in a script. */
const PLACE_IN_SCRIPT = /^ERR Error running script \(call to \w+\): (?:@user_script: ?\d+: )*-?/;

/** The error that stands for an error in a server's reply. */
export function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

/**
 * The error for a server's reply; `undefined` when the command is worth sending again, because the
 * connection was lost or the server's state will pass.
 *
 * @param key stands in the text. Default: the text is for several keys, which stand beside it
 */
export function refusalOf(error: Error, address: string, key?: string): SseError | undefined {
  if (error instanceof SseError) {
    return error.code === 'UNAVAILABLE' ? undefined : error;
  }
  const message = error.message.replace(PLACE_IN_SCRIPT, '');
  const code = message.split(' ', 1)[0]!;
  if (error.name !== 'ReplyError' || PASSING.has(code)) {
    return undefined;
  }
  return new SseError('UNAVAILABLE', `Redis at ${address} ${meaningOf(message, key)}`, {
    cause: error,
  });
}

function meaningOf(message: string, key?: string): string {
  const [under, that] =
    key === undefined ? ['these keys', 'them'] : [`the key ${JSON.stringify(key)}`, 'that key'];
  if (message.includes('WRONGTYPE')) {
    return (
      `holds another type under ${under}, which this package uses. ` +
      `Remove ${that}, or set another \`redisStreams.prefix\`.`
    );
  }
  if (/exhausted the last possible ID|equal or smaller than the target/.test(message)) {
    return (
      `has no room for more entries in the stream under ${under}: another ` +
      `program has added one with the last possible id, or nearly. Remove ${that}; its clients will ` +
      'receive sse:reset.'
    );
  }
  if (/\bOOM\b/.test(message)) {
    return 'has no memory left (OOM). Raise its `maxmemory`, or lower `redisStreams.retain`.';
  }
  if (/\bNOPERM\b|ACL failure|can't (run|access)|No permissions/i.test(message)) {
    return `does not permit that to our user: ${message}. The rights are listed in docs/redis.md.`;
  }
  return `refused: ${message}`;
}
