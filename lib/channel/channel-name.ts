import { templateOf } from './channel-params.js';
import { shown } from './shown.js';
import { SseError } from './sse-error.js';

/** How the names of the module's own streams begin, such as that of commands to all instances. */
export const RESERVED_NAMES = 'sse:';
/** The longest channel name, in bytes of UTF-8. A source may allow less. */
const MAX_NAME_BYTES = 1_024;
/** Names appear in logs and in the data of frames, so they contain no control characters. */
// oxlint-disable-next-line no-control-regex
export const CONTROL = /[\x00-\x1f\x7f]/;
/** Half of a character: text with one alone is not well-formed. */
export const SURROGATE = /\p{Surrogate}/u;

/**
 * Checks that a value can be a channel's name.
 * @throws SseError `INVALID_CHANNEL`
 */
export function checkChannelName(name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw invalid(shown(name), 'Give a string');
  }
  if (name === '') {
    throw invalid('empty', 'Give it at least one character');
  }
  const size = Buffer.byteLength(name);
  if (size > MAX_NAME_BYTES) {
    throw invalid(`${size} bytes long: ${shown(name)}`, `Give it at most ${MAX_NAME_BYTES} bytes`);
  }
  if (SURROGATE.test(name)) {
    // UTF-8 encodes every lone surrogate alike, so that different names would become one.
    throw invalid(`not well-formed text: ${shown(name)}`, 'Leave out lone surrogates');
  }
  if (CONTROL.test(name)) {
    throw invalid(shown(name), 'Leave out control characters, line breaks among them');
  }
}

/**
 * The names that are given, each once.
 * @throws SseError `INVALID_CHANNEL`, also for none
 */
export function checkedNames(given: string | readonly string[]): readonly string[] {
  const isList = typeof given !== 'string' && Symbol.iterator in Object(given);
  const names = isList ? [...new Set(given)] : [given as string];
  if (names.length === 0) {
    throw new SseError('INVALID_CHANNEL', 'No channel is named. Give at least one.');
  }
  names.forEach(checkChannelName);
  return names;
}

/**
 * Fills a template such as `job:{id}`. Each value is percent-encoded, so that a value
 * can only ever name a channel of this template: `1:secret` becomes `1%3Asecret`.
 * Publishers and endpoints that fill the same template meet on the same channel.
 *
 * @param template the name, with placeholders in braces
 * @param values what the placeholders stand for: strings, or numbers, booleans and BigInts
 * @returns the channel's name
 * @throws SseError `INVALID_CHANNEL` when a value is missing or empty, a brace lacks its other half,
 * or the name is too long
 *
 * @example
 * ```ts
 * channelName('job:{id}', { id: 42 }); // 'job:42'
 * ```
 */
export function channelName(template: string, values: Readonly<Record<string, unknown>>): string {
  const name = templateOf(template).nameOf(values);
  checkChannelName(name);
  return name;
}

function invalid(what: string, remedy: string): SseError {
  return new SseError('INVALID_CHANNEL', `A channel's name is ${what}. ${remedy}.`);
}
