import { ChannelTemplate } from '../channel/channel-params.js';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { requestedBy } from '../endpoint/requested-channels.js';
import { routeOf } from '../endpoint/route.js';
import type { SseRoutes } from '../endpoint/sse-routes.js';
import type { EndpointOptions } from '../setup/channel-options.js';
import type { SseSettings } from '../setup/settings.js';

/** The channels of endpoints that read something else than what is published. */
export class OtherSources {
  private readonly others: { readonly template: ChannelTemplate; readonly feeds: string }[] = [];
  private readonly published: ChannelTemplate[] = [];
  /** Whether an endpoint may read what is published to channels that only its requests tell. */
  private hasUnknown = false;

  constructor(routes: Pick<SseRoutes, 'endpoints'>, broker: SseSettings['broker']) {
    for (const { handler } of routes.endpoints) {
      const { channels, options } = routeOf(handler)!;
      const only = requestedBy(channels)?.only;
      if (typeof channels === 'string') {
        this.add(channels, options, broker);
      } else if (only) {
        for (const { text, options: own } of only) {
          this.add(text, own.source === undefined ? options : own, broker);
        }
      } else {
        this.hasUnknown ||= feedsOf(options, broker) === undefined;
      }
    }
  }

  /**
   * Refuses a channel whose endpoints all read something else: nobody would receive the event.
   * @throws SseError `INVALID_CHANNEL`
   */
  check(channel: string): void {
    const isOf = (template: ChannelTemplate): boolean => template.paramsOf(channel) !== undefined;
    if (this.hasUnknown || this.others.length === 0 || this.published.some(isOf)) {
      return;
    }
    const other = this.others.find(({ template }) => isOf(template));
    if (other) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The clients of the channel ${shown(channel)} receive ${other.feeds}, and would not receive this event. ` +
          'Name a channel whose endpoint has no other `source`.',
      );
    }
  }

  private add(text: string, options: EndpointOptions, broker: SseSettings['broker']): void {
    const feeds = feedsOf(options, broker);
    const template = new ChannelTemplate(text);
    if (feeds === undefined) {
      this.published.push(template);
    } else {
      this.others.push({ template, feeds });
    }
  }
}

/** What an endpoint reads in place of what is published, in words. */
function feedsOf(
  { source = 'broker', run }: EndpointOptions,
  broker: SseSettings['broker'],
): string | undefined {
  if (run) {
    return 'the runs of the channel';
  }
  if (source === 'broker' || source === broker) {
    return undefined;
  }
  return typeof source === 'string'
    ? `what the source '${source}' brings`
    : "what a source of the application's brings";
}
