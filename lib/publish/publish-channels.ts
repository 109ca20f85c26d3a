import { ChannelTemplate } from '../channel/channel-params.js';
import { kindOf, shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { isDefinition } from '../typed/define-channel.js';
import type { SsePublishOptions } from './publish.options.js';

/** Channels that requests may publish to. */
export interface PublishableChannel {
  /** The name or template. */
  readonly text: string;
  readonly template: ChannelTemplate;
  /** The types of the events, if they have any. */
  readonly definition: ChannelDefinition | undefined;
}

/** Which channels requests may publish to. */
export class PublishChannels {
  /** `undefined` for any channel. */
  readonly entries: readonly PublishableChannel[] | undefined;

  constructor(channels: SsePublishOptions['channels']) {
    this.entries = publishableChannels(channels);
  }

  /**
   * The types of the events of a channel, if it has any.
   * @throws SseError `FORBIDDEN` for a channel that no request may publish to
   */
  definitionOf(channel: string): ChannelDefinition | undefined {
    const entry = this.entries?.find(({ template }) => template.paramsOf(channel) !== undefined);
    if (this.entries && !entry) {
      throw forbidden(channel);
    }
    return entry?.definition;
  }
}

/**
 * Reads the option `channels`.
 * @throws SseError `INVALID_OPTION`; `INVALID_CHANNEL` for a template with a lone brace
 */
export function publishableChannels(
  channels: SsePublishOptions['channels'],
): readonly PublishableChannel[] | undefined {
  return channels?.map(publishable);
}

/** The error for a channel that the caller may not publish to. */
export function forbidden(channel: string): SseError {
  return new SseError(
    'FORBIDDEN',
    `This caller may not publish to the channel ${shown(channel)}. Name another channel, or let the application ` +
      'allow this one by `channels` or `authorize` of SsePublishModule.',
  );
}

function publishable(entry: unknown): PublishableChannel {
  const definition = isDefinition(entry) ? entry : undefined;
  const text: unknown = definition ? definition.template : entry;
  if (typeof text !== 'string' || text === '') {
    throw new SseError(
      'INVALID_OPTION',
      `SsePublishModule: \`channels\` has ${text === '' ? 'an empty name' : kindOf(text)} in it. Give a name, a template such as ` +
        '"job:{id}", or what defineChannel() returned.',
    );
  }
  return { text, template: new ChannelTemplate(text), definition };
}
