import { callback, doneSignal, eventTypeOr } from '../options/option-kinds.js';
import type { TableOf } from '../options/option-table.js';
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
   * Called after each gap, once notifications arrive again and before clients receive the reset.
   * Clients receive the events that it returns after the reset, and then the notifications that came
   * in meanwhile. The module logs what it throws, and waits 30 seconds for it.
   *
   * Default: none.
   */
  readonly refetch?: ((channel: string) => RefetchResult | Promise<RefetchResult>) | undefined;
  /** The payload that ends the run: clients receive it and their streams end. `false`: none does. Default: `[DONE]`. */
  readonly doneSignal?: string | false | undefined;
}

export const LISTEN_OPTIONS = {
  type: eventTypeOr<(payload: string, operation?: string) => string | undefined>('the payload'),
  refetch: callback<NonNullable<ListenOptions['refetch']>>('the channel'),
  doneSignal: doneSignal(undefined),
} satisfies TableOf<ListenOptions>;
