import type { ChannelDefinition, DataToSend, EventTypeOf } from '../typed/channel-definition.js';
import type { SendKeyOptions, TypedSendOptions } from '../setup/channel-options.js';
import type { EventToSend, SendResult } from './send-all.options.js';
import type { Sending } from './sending.js';

/** One event of `ChannelSender.sendAll()`. */
export type TypedEventToSend<Definition extends ChannelDefinition> = {
  [Type in EventTypeOf<Definition>]: Omit<EventToSend, 'channel' | 'type' | 'data'> & {
    readonly type: Type;
    readonly data: DataToSend<Definition, Type>;
  };
}[EventTypeOf<Definition>];

/**
 * Publishes the events of one channel of a definition: what `SseService.to()` returns. Clients receive what
 * the schema of an event makes of its data.
 */
export class ChannelSender<Definition extends ChannelDefinition = ChannelDefinition> {
  /** @internal */
  constructor(
    private readonly sending: Sending,
    /** @internal */
    readonly definition: Definition,
    /** The channel's name. */
    readonly channel: string,
  ) {}

  /**
   * Publishes an event to all clients of the channel.
   *
   * @param type one of the definition's; `message` is the event without a type
   * @param data what the schema of the type takes
   * @returns the event's id, once the broker has the event
   * @throws SseSchemaError `INVALID_EVENT` when the data does not fit, with the issues and without the data; SseError `INVALID_EVENT` for
   * another type and for a schema that throws or is asynchronous; and those of `SseService.send()`. As there
   * the promise rejects, and need not be awaited. Nothing is published
   */
  send<Type extends EventTypeOf<Definition>>(
    type: Type,
    data: DataToSend<Definition, Type>,
    options: TypedSendOptions = {},
  ): Promise<string> {
    return this.sending.sendTyped(this.channel, this.definition, type, data, options);
  }

  /**
   * Publishes events, in their order, in as few calls to the broker as it allows. An event that cannot be
   * sent, or does not fit, leaves the others as they are.
   *
   * @param events at most 10,000
   * @returns what has become of each, in the order of the list
   * @throws SseError `INVALID_OPTION` for what is no such list
   */
  sendAll(events: readonly TypedEventToSend<Definition>[]): Promise<SendResult[]> {
    return this.sending.sendAll(events, this);
  }

  /**
   * Sends a value to the readers of the key that has the channel's name, as `SseService.sendKey()`.
   *
   * @param type one of the definition's
   * @param value what the schema of the type takes. Endpoints check it again, so a schema must take its own output
   * @throws SseError as `send()` and `SseService.sendKey()`
   */
  sendKey<Type extends EventTypeOf<Definition>>(
    type: Type,
    value: DataToSend<Definition, Type>,
    options: Omit<SendKeyOptions, 'type'> = {},
  ): Promise<void> {
    return this.sending.sendTypedKey(this.channel, this.definition, type, value, options);
  }

  /** Ends the run of the channel. @throws SseError as `SseService.complete()` */
  complete(): Promise<string> {
    return this.sending.complete(this.channel);
  }
}
