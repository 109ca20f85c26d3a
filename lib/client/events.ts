import type { SseClientError } from './client-error.js';
import type {
  ChannelDefinition,
  DataOf,
  EventTypeOf,
  ParamArgs,
} from '../typed/channel-definition.js';

/** An event of a channel that is subscribed by its name. */
export interface ClientEvent<Type extends string = string, Data = unknown> {
  /** `message` where the server names none. */
  readonly type: Type;
  /**
   * An object or array when the text is one in JSON; any other text as it is. So `5` comes as `'5'`,
   * as it does to readers on the server.
   */
  readonly data: Data;
  readonly channel: string;
  /** Its position in the channel, its id: a subscription may begin after it. Some events have none. */
  readonly position: string | undefined;
}

/** An event of a channel that is subscribed by its definition. Its `type` tells of what type its `data` is. */
export type ClientEventOf<Definition extends ChannelDefinition> = {
  [Type in EventTypeOf<Definition>]: ClientEvent<Type, DataOf<Definition, Type>>;
}[EventTypeOf<Definition>];

/** Events may be missing: load again whatever was built from them. */
export interface ClientReset {
  readonly type: 'sse:reset';
  readonly data: {
    readonly channel: string;
    /** Such as `trimmed`, `unknown-position`, `slow-consumer`. */
    readonly reason: string;
  };
  readonly channel: string;
  readonly position: string | undefined;
}

/** What a subscription does with what comes. */
export interface SubscriptionHandlers<Event = ClientEvent> {
  /**
   * Where to begin: after the event at this position, or with the oldest event that the server keeps.
   * Default: with what is sent from now on
   */
  readonly from?: 'earliest' | (string & {});
  readonly onEvent?: (event: Event) => unknown;
  /**
   * Events may be missing: load again whatever was built from them. Without this function a reset is
   * not told; who reads by an iterator or Observable finds it among the events.
   */
  readonly onReset?: (reset: ClientReset) => unknown;
  /**
   * An event of a type that the definition does not name, such as one of a newer server, or
   * `sse:snapshot`. Only of subscriptions by a definition. Default: it is dropped
   */
  readonly onOther?: (event: ClientEvent) => unknown;
  /** The channel is live, at first and after each break. */
  readonly onOpen?: () => unknown;
  /** The server refuses the channel. The subscription is over. */
  readonly onDenied?: () => unknown;
  /** The channel has ended by `complete()`. The subscription is over. */
  readonly onEnd?: () => unknown;
  /**
   * The server refuses the client for good, by 401 twice, 404 and the like, or its endpoint does not
   * bring this channel. The subscription is over.
   * What passes by itself is told by `client.onStatus()`.
   */
  readonly onError?: (error: SseClientError) => unknown;
}

/** The handlers of a subscription, or one function for its events and resets. */
export type Handlers<Event> =
  SubscriptionHandlers<Event> | ((event: Event | ClientReset) => unknown);

/** What `subscribe()` takes behind a definition: the values of its template, if it is one; the handlers. */
export type SubscribeArgs<Definition extends ChannelDefinition> = [
  ...params: ParamArgs<Definition['template']>,
  handlers?: Handlers<ClientEventOf<Definition>>,
];
