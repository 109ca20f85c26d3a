import { isEventType } from '../../channel/event-check.js';
import { shownOption } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';
import type { SourceEvent } from '../../channel/source.js';

/** What a `refetch` hook may return: events to append, or nothing. */
export type RefetchResult = Iterable<SourceEvent> | void;

/** How the notifications of a channel become events. */
export interface ListenOptions {
  /**
   * The event's name: one for all, or a function of the payload, and of the operation
   * (`insert`, `update`, `delete`) when the payload is the generated trigger's. When the
   * function returns `undefined` or throws, the name is as without this option.
   *
   * Default: the operation for the generated trigger's payloads, else none, which a browser
   * takes as `message`.
   */
  readonly type?:
    string | ((payload: string, operation?: string) => string | undefined) | undefined;
  /**
   * Called after each gap, once notifications arrive again and before clients are told of the gap.
   * Clients receive the events that it returns after the announcement, and then the notifications
   * that came in meanwhile. What it throws is logged. We wait 30 seconds for it.
   *
   * Default: none.
   */
  readonly refetch?: ((channel: string) => RefetchResult | Promise<RefetchResult>) | undefined;
  /** The payload that ends the run: clients receive it and their streams end. `false`: none does. Default: `[DONE]`. */
  readonly doneSignal?: string | false | undefined;
}

/** @throws SseError `INVALID_OPTION`. */
export function checkListenOptions(options: ListenOptions): void {
  const { type, refetch, doneSignal } = options;
  if (type !== undefined && typeof type !== 'function' && !isEventType(type)) {
    throw invalidListenOption(
      'type',
      type,
      'Give a name without CR, LF and NUL that does not begin with "sse:", or a function of the payload',
    );
  }
  if (refetch !== undefined && typeof refetch !== 'function') {
    throw invalidListenOption('refetch', refetch, 'Give a function');
  }
  const isNone = doneSignal === undefined || doneSignal === false;
  if (!isNone && (typeof doneSignal !== 'string' || doneSignal === '')) {
    throw invalidListenOption(
      'doneSignal',
      doneSignal,
      'Give a string that is not empty, or false for none',
    );
  }
}

/** The error for an option of LISTEN. */
export function invalidListenOption(name: string, value: unknown, remedy: string): SseError {
  return new SseError(
    'INVALID_OPTION',
    `The option "${name}" is ${shownOption(value)}. ${remedy}.`,
  );
}
