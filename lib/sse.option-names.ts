import { SseError } from './channel/sse-error.js';
import type {
  ChannelOptions,
  EndpointOptions,
  SendOptions,
  SourceOption,
  StreamOptions,
} from './sse.options.js';

/** The names of options as a record, so that one that is missing here does not compile. */
type Names<Options> = Readonly<Record<keyof Options, true>>;

const CHANNEL: Names<Omit<ChannelOptions, 'overflow'>> = {
  source: true,
  interval: true,
  maxInterval: true,
  mode: true,
  poller: true,
  type: true,
  refetch: true,
  doneSignal: true,
};
const ENDPOINT: Names<EndpointOptions> = {
  ...CHANNEL,
  overflow: true,
  expires: true,
  client: true,
};
const STREAM: Names<StreamOptions> = { ...CHANNEL, lastEventId: true };
const SEND: Names<SendOptions> = {
  type: true,
  id: true,
  retry: true,
  serialize: true,
  transaction: true,
};

/** The options of `@SseChannel()`. */
export const ENDPOINT_OPTIONS = Object.keys(ENDPOINT);

/** The options of the service's methods. */
export const CALL_OPTIONS = {
  stream: Object.keys(STREAM),
  send: Object.keys(SEND),
  sendKey: ['type', 'id', 'serialize'],
};

/** The options that only some kinds of source know, by the kind. */
const APPLICABLE: Readonly<Record<string, readonly (keyof ChannelOptions)[]>> = {
  cache: ['interval', 'maxInterval', 'mode', 'poller', 'type', 'doneSignal'],
  postgres: ['type', 'refetch', 'doneSignal'],
};
const SPECIFIC = new Set(Object.values(APPLICABLE).flat());

/**
 * Refuses the options of another kind of source.
 * @throws SseError `INVALID_OPTION`
 */
export function checkApplies(source: SourceOption, options: ChannelOptions): void {
  const applicable = (typeof source === 'string' && APPLICABLE[source]) || [];
  for (const name of SPECIFIC) {
    if (options[name] !== undefined && !applicable.includes(name)) {
      const kinds = Object.keys(APPLICABLE).filter((kind) => APPLICABLE[kind]!.includes(name));
      throw new SseError(
        'INVALID_OPTION',
        `\`${name}\` is an option of the source ${kinds.map((kind) => `'${kind}'`).join(' or ')}; ` +
          `here the source is ${typeof source === 'string' ? `'${source}'` : 'one of your own'}. ` +
          'Leave it out, or name that source.',
      );
    }
  }
}
