import { CONTROL, SURROGATE } from './channel-name.js';

/** By which a broker recognises an event that is sent again. */
export interface OnceKey {
  /** Text of 1 to 256 bytes in UTF-8, without control characters. It counts for one channel. */
  readonly key: string;
  /** For how long the broker recognises the key, in milliseconds from the first event on. */
  readonly window: number;
}

/** What has become of an event with a key. */
export interface SentOnce {
  /** The id of the first event with this key. */
  readonly id: string;
  /** Whether the channel had an event with this key already, so that the broker appended none. */
  readonly isDuplicate: boolean;
}

/** The most bytes of a key. */
const MAX_KEY_BYTES = 256;

/** Why a value cannot be a key, to follow its name in an error; `undefined` when it can be one. */
export function faultOfKey(key: unknown): string | undefined {
  if (typeof key !== 'string') {
    return 'must be a string';
  }
  if (key === '') {
    return 'is empty; leave it out, or give each event a key of its own';
  }
  const bytes = Buffer.byteLength(key);
  if (bytes > MAX_KEY_BYTES) {
    return `has ${bytes} bytes; give at most ${MAX_KEY_BYTES}, such as a hash of it`;
  }
  if (CONTROL.test(key)) {
    return 'has control characters; leave them out';
  }
  return SURROGATE.test(key) ? 'is not well-formed text' : undefined;
}
