import { createHash } from 'node:crypto';

/** A Lua script, called by its digest so that its text crosses the wire once. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

/** A script of this text. */
export function redisScript(text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
