import { ChannelTemplate } from '../channel/channel-params.js';
import { option, whole } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';

/** What the channels that a request names may be. */
export interface RequestedChannelsOptions {
  /** The most channels of one request. Default: 200. */
  readonly limit?: number;
  /**
   * The names that a request may give: names, templates such as `job:{id}`, and what has one, such as a
   * definition of `defineChannel()`. A channel with another name is refused as by `authorize`, which is
   * not asked about it. Default: any name, and `authorize` decides.
   */
  readonly only?: readonly (string | { readonly template: string })[];
}

export const REQUESTED_CHANNELS_OPTIONS = {
  limit: whole(200, { unit: 'channels' }),
  only: option(
    isOnly,
    'an array of at least one name, template or definition of a channel',
    undefined,
  ),
} satisfies TableOf<RequestedChannelsOptions>;

function isOnly(value: unknown): value is NonNullable<RequestedChannelsOptions['only']> {
  return Array.isArray(value) && value.length > 0 && value.every((each) => templateOf(each) !== '');
}

/** The names and templates of `only`; `undefined` for any name. */
export function templatesOf(only: RequestedChannelsOptions['only']): readonly string[] | undefined {
  return only?.map(templateOf);
}

/** The template of a name, template or definition; empty for something else. */
function templateOf(value: unknown): string {
  const template = (value as { readonly template?: unknown } | null | undefined)?.template ?? value;
  return typeof template === 'string' ? template : '';
}

/**
 * Says which names a request may give, by what `templatesOf` has found.
 * @throws SseError `INVALID_CHANNEL` for a template with a lone brace
 */
export function matcherOf(
  only: readonly string[] | undefined,
): ((name: string) => boolean) | undefined {
  const templates = only?.map((each) => new ChannelTemplate(each));
  return templates && ((name) => templates.some((each) => each.paramsOf(name) !== undefined));
}
