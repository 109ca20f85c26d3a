import { SseError } from '../channel/sse-error.js';
import { CACHE_OPTIONS } from '../sources/cache/cache-options.js';
import { LISTEN_OPTIONS } from '../sources/postgres/listen.options.js';
import type { ChannelOptions, SourceOption } from './channel-options.js';

/** The options that only some kinds of source know, by the kind. */
const APPLICABLE: Readonly<Record<string, object>> = {
  cache: CACHE_OPTIONS,
  postgres: LISTEN_OPTIONS,
};

/**
 * Refuses the options of another kind of source.
 * @param definition the types of the channel's events, if it has any
 * @throws SseError `INVALID_OPTION`
 */
export function checkApplies(
  source: SourceOption,
  options: ChannelOptions,
  definition?: object,
): void {
  if (options.invalid !== undefined && (definition === undefined || source === 'broker')) {
    const remedy = definition ? '`source`' : 'what defineChannel() returned in place of a name';
    throw new SseError(
      'INVALID_OPTION',
      '`invalid` is for a channel of a definition whose source is not the broker: to(…).send() checks what the broker ' +
        `brings. Give ${remedy}, or leave it out.`,
    );
  }
  const applicable = (typeof source === 'string' && APPLICABLE[source]) || {};
  for (const [name, value] of Object.entries(options)) {
    const kinds = Object.keys(APPLICABLE).filter((kind) => name in APPLICABLE[kind]!);
    if (value !== undefined && kinds.length > 0 && !(name in applicable)) {
      throw new SseError(
        'INVALID_OPTION',
        `\`${name}\` is an option of the source ${kinds.map((kind) => `'${kind}'`).join(' or ')}; ` +
          `here the source is ${typeof source === 'string' ? `'${source}'` : 'one of your own'}. ` +
          'Leave it out, or name that source.',
      );
    }
  }
}
