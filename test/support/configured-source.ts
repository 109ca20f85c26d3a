import type { SseLogger } from '../../lib/channel/source.js';
import type { Broker, ChannelSource, SseModuleOptions } from '../../lib/index.js';
import { settingsOf } from '../../lib/setup/settings.js';
import { SseSources } from '../../lib/setup/sse-sources.js';

const nothing = (): void => undefined;
const SILENT: SseLogger = { log: nothing, warn: nothing, error: nothing };
/** Only the broker in memory opens channels. */
const UNUSED_CHANNELS = {
  touch(): never {
    throw new Error('This source opens no channel by itself.');
  },
};

/** A source of the module's own, as an application with these options has it. */
export function configuredSource(
  options: SseModuleOptions,
  pick: (sources: SseSources) => ChannelSource,
): ChannelSource & { readonly sources: SseSources } {
  const settings = settingsOf({ failFast: true, ...options });
  const sources = new SseSources(settings, SILENT, UNUSED_CHANNELS);
  const source = pick(sources);
  return {
    sources,
    open: (channel, sink) => source.open(channel, sink),
    start: () => sources.start(),
    stop: () => sources.stop(5_000),
  };
}

/** A broker of the module's own, as an application with these options has it. */
export function configuredBroker(options: SseModuleOptions): Broker {
  const source = configuredSource(options, ({ broker }) => broker);
  return {
    ...source,
    publish: (channel, event, rest) => source.sources.broker.publish(channel, event, rest),
    ...(source.sources.broker.publishOnce && {
      publishOnce: (...call) => source.sources.broker.publishOnce!(...call),
    }),
  };
}
