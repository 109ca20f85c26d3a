import { LimitedLog } from '../channel/limited-log.js';
import type { ChannelSource, SseLogger } from '../channel/source.js';
import type { Serialize } from '../channel/value-text.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { TypedSource, type TypedServices } from './typed-source.js';

/** Sources whose events are checked by a definition; the same one for equal arguments, so that endpoints share channels. */
export class TypedSources {
  private readonly known = new WeakMap<ChannelSource, WeakMap<ChannelDefinition, ChannelSource>>();
  private readonly services: TypedServices;

  constructor(log: SseLogger, serialize: Serialize | undefined) {
    const limited = new LimitedLog(log);
    this.services = {
      serialize,
      report: (channel, { message }) =>
        limited.error(
          `An event of the channel ${JSON.stringify(channel)} was left out: ${message} Clients receive sse:reset.`,
        ),
    };
  }

  of(source: ChannelSource, definition: ChannelDefinition): ChannelSource {
    let ofSource = this.known.get(source);
    if (!ofSource) {
      this.known.set(source, (ofSource = new WeakMap()));
    }
    let typed = ofSource.get(definition);
    if (!typed) {
      ofSource.set(definition, (typed = new TypedSource(source, definition, this.services)));
    }
    return typed;
  }
}
