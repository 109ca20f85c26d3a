import { RESERVED_NAMES } from '../channel/channel-name.js';
import { ChannelTemplate } from '../channel/channel-params.js';
import { kindOf, shownOption } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { option, whole } from '../sources/options/option-kinds.js';
import { readOptions, type TableOf } from '../sources/options/option-table.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { isDefinition } from '../typed/define-channel.js';
import { SOURCE_OPTIONS, type ChannelOptions } from './channel-options.js';

/** Channels that a request may name, and what feeds them. */
export interface RequestableChannel extends Omit<ChannelOptions, 'overflow'> {
  /** The name of a channel, a template such as `job:{id}`, or a definition. */
  readonly channel: string | ChannelDefinition;
}

/** What the channels that a request names may be. */
export interface RequestedChannelsOptions {
  /** The most channels of one request. Default: 200. */
  readonly limit?: number;
  /**
   * The names that a request may give: names, templates such as `job:{id}`, and definitions; or
   * `{ channel, source, … }` for channels with a source of their own, of which the first counts that a name
   * fits. A channel with another name is refused as by `authorize`, which is not asked about it.
   * Default: any name, and `authorize` decides.
   */
  readonly only?: readonly (string | ChannelDefinition | RequestableChannel)[];
}

export const REQUESTED_CHANNELS_OPTIONS = {
  limit: whole(200, { unit: 'channels' }),
  only: option(
    isOnly,
    'an array of at least one name, template, definition or { channel, source }',
    undefined,
  ),
} satisfies TableOf<RequestedChannelsOptions>;

/** An entry of `only`. */
export interface Requestable {
  /** The name or template. */
  readonly text: string;
  readonly template: ChannelTemplate;
  readonly definition: ChannelDefinition | undefined;
  /** The options of the channels, in place of those of the endpoint if they name a source. */
  readonly options: Omit<ChannelOptions, 'overflow'>;
}

function isOnly(value: unknown): value is NonNullable<RequestedChannelsOptions['only']> {
  return Array.isArray(value) && value.length > 0;
}

/**
 * Reads an entry of `only`.
 * @throws SseError `INVALID_OPTION`; `INVALID_CHANNEL` for a template with a lone brace
 */
export function requestable(entry: unknown): Requestable {
  const isGroup = typeof entry === 'object' && entry !== null && !isDefinition(entry);
  const { channel, ...options } = isGroup ? (entry as RequestableChannel) : { channel: entry };
  const definition = isDefinition(channel) ? channel : undefined;
  const text = definition ? definition.template : channel;
  if (typeof text !== 'string' || text === '') {
    throw new SseError(
      'INVALID_OPTION',
      `requestedChannels(): \`only\` has ${isGroup ? `{ channel: ${shownOption(channel)} }` : shownOf(text)} in it. ` +
        'Give a name, a template such as "job:{id}", a definition, or { channel, source }.',
    );
  }
  if (text.startsWith(RESERVED_NAMES)) {
    throw new SseError(
      'INVALID_CHANNEL',
      `requestedChannels(): \`only\` has ${shownOption(text)} in it, and channels whose names begin with ` +
        `"${RESERVED_NAMES}" are the module's own, which no client may read. Give another name.`,
    );
  }
  readOptions(SOURCE_OPTIONS, options, '', `requestedChannels(), \`only\`, ${shownOption(text)}: `);
  return { text, template: new ChannelTemplate(text), definition, options };
}

function shownOf(text: unknown): string {
  return text === '' ? 'an empty name' : kindOf(text);
}
