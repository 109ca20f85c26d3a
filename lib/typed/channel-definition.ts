import type { ChannelParams, PlaceholderOf } from '../channel/channel-params.js';
import type { SseReset } from '../channel/reset-reason.js';
import type { AnySchema, InputOf, OutputOf } from './standard-schema.js';
import type { WireOf } from './wire.js';

/** The schema of each event's data, by the event's type. `message` is the event without a type. */
export type EventSchemas = Readonly<Record<string, AnySchema>>;

/**
 * A channel, or all channels of a template, with the types of their events: what `defineChannel()`
 * returns.
 */
export interface ChannelDefinition<
  Template extends string = string,
  Schemas extends EventSchemas = EventSchemas,
> {
  /** The channel's name, or a template such as `job:{id}`. */
  readonly template: Template;
  /** The schema of each event's data, by the event's type. */
  readonly events: Schemas;

  /**
   * The name of a channel of this definition, as `channelName()` makes it.
   * @throws SseError `INVALID_CHANNEL` when a value is missing or empty
   */
  channel(...params: ParamArgs<Template>): string;

  /**
   * What stands for the placeholders in a channel's name, as `channelParams()` tells it; `undefined`
   * for a channel that is not of this definition.
   */
  paramsOf(channel: string): ChannelParams<Template> | undefined;
}

type ParamsOfTemplate<Template extends string> = string extends Template
  ? Readonly<Record<string, string | number>>
  : { readonly [Name in PlaceholderOf<Template>]: string | number };

/** The values of a template's placeholders as arguments: none where there is no placeholder. */
export type ParamArgs<Template extends string> = string extends Template
  ? [params?: ParamsOfTemplate<Template>]
  : [PlaceholderOf<Template>] extends [never]
    ? []
    : [params: ParamsOfTemplate<Template>];

/** The values that name a channel of a definition, by placeholder. */
export type ParamsOf<Definition extends ChannelDefinition> = ParamsOfTemplate<
  Definition['template']
>;

/** The types of a definition's events, such as `'progress' | 'failed'`. */
export type EventTypeOf<Definition extends ChannelDefinition> = keyof Definition['events'] & string;

/** What a publisher gives for the data of an event: what its schema takes. */
export type DataToSend<
  Definition extends ChannelDefinition,
  Type extends EventTypeOf<Definition>,
> = InputOf<Definition['events'][Type]>;

/** The data of an event as readers have it: what its schema makes of it, behind JSON. */
export type DataOf<
  Definition extends ChannelDefinition,
  Type extends EventTypeOf<Definition>,
> = WireOf<OutputOf<Definition['events'][Type]>>;

/** An event of a definition. Its `type` tells of what type its `data` is. */
export type EventOf<Definition extends ChannelDefinition> = {
  [Type in EventTypeOf<Definition>]: TypedEvent<Type, DataOf<Definition, Type>>;
}[EventTypeOf<Definition>];

/** What a stream of a definition emits: its events, and resets (see `isReset`). */
export type StreamEventOf<Definition extends ChannelDefinition> =
  EventOf<Definition> | NamedEvent<'sse:reset', SseReset>;

/** An `SseEvent` of one type. */
export type TypedEvent<Type extends string, Data> = Type extends 'message'
  ? UnnamedEvent<Data>
  : NamedEvent<Type, Data>;

interface EventFields<Data> {
  /** The channel the event was read from. */
  readonly channel: string;
  /** The event's id: its position in the channel's log, or the publisher's own. */
  readonly id: string;
  readonly data: Data;
  /** The reconnection time in milliseconds that clients take over with the event. */
  readonly retry?: number;
}

export interface NamedEvent<Type extends string, Data> extends EventFields<Data> {
  readonly type: Type;
}

export interface UnnamedEvent<Data> extends EventFields<Data> {
  readonly type?: 'message';
}
