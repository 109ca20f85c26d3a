import { createHash } from 'node:crypto';

/** The key in Redis that stands for an idempotency key of a stream. */
export interface OnceRecord {
  readonly record: string;
  /** How long it lives, in milliseconds. */
  readonly window: number;
}

/** How many characters of the digest stand for a key: 144 bits. */
const DIGEST_LENGTH = 24;

/** The name of such a key. It shares the stream's hash slot. */
export function recordKey(stream: string, key: string, prefix: string): string {
  const digest = createHash('sha256').update(key).digest('base64url').slice(0, DIGEST_LENGTH);
  return `${prefix}once:${stream.slice(prefix.length)}:${digest}`;
}
