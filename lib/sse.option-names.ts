import type { ChannelOptions, EndpointOptions, SendOptions, StreamOptions } from './sse.options.js';

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
