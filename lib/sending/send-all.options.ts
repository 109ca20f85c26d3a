import { SEND_OPTIONS, type SendOptions } from '../setup/channel-options.js';
import { passedOn } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';

/** One event of `SseService.sendAll()`. */
export interface EventToSend extends Omit<SendOptions, 'transaction'> {
  readonly channel: string;
  /** A string goes out as it is, everything else as `serialize` writes it, or as JSON. */
  readonly data: unknown;
}

/** What has become of an event of `SseService.sendAll()`. */
export type SendResult =
  | {
      readonly status: 'sent';
      /** The event's id, as `send()` resolves with it. */
      readonly id: string;
      /** Whether the channel had an event with the same `idempotencyKey` already; the id is that one's. */
      readonly duplicate: boolean;
    }
  | {
      readonly status: 'failed';
      /** The error with which `send()` would have rejected. */
      readonly error: Error;
    };

/** The most events of one call. */
export const MOST_EVENTS = 10_000;

const { type, id, retry, serialize, idempotencyKey } = SEND_OPTIONS;

export const EVENT_TO_SEND = {
  channel: passedOn<string>(),
  data: passedOn<unknown>(),
  type,
  id,
  retry,
  serialize,
  idempotencyKey,
} satisfies TableOf<EventToSend>;

const { channel: _ofDefinition, ...ofTyped } = EVENT_TO_SEND;
/** The fields of an event whose channel is known. */
export const TYPED_EVENT_TO_SEND = ofTyped;
