import type { ClientEvent, ClientReset, ClientStatus } from '../client/index.js';

/**
 * The status of the client, as long as the channel may bring something; then how it ended:
 *
 * - `ended`: by `complete()`.
 * - `denied`: the server refuses the channel.
 * - `failed`: there is an `error` that does not pass by itself.
 *
 * `closed` as well while the option `enabled` is false.
 */
export type ChannelStatus = ClientStatus | 'ended' | 'denied' | 'failed';

/** The state that an endpoint with `snapshot` sends before the events that change it. */
export type ClientSnapshot = ClientEvent<
  'sse:snapshot',
  { readonly channel: string; readonly state: unknown }
>;

/** What a reducer is given: the events that `useChannel()` returns, and what interrupts them. */
export type ChannelEvent<Event> = Event | ClientReset | ClientSnapshot;

/** What a component sees of its channel. A new object whenever something has changed. */
export interface ChannelView<Event, State> {
  /** The newest event. */
  readonly event: Event | undefined;
  /** The newest events, the oldest of them first: as many as the option `keep` says. */
  readonly events: readonly Event[];
  /** What the option `reduce` has made of all events so far. */
  readonly state: State;
  readonly status: ChannelStatus;
  /** Why the status is `waiting` or `failed`. */
  readonly error: Error | undefined;
  /** The newest reset: events may be missing before it. */
  readonly reset: ClientReset | undefined;
}

/** How a component makes a state of its own of the events. */
export interface ChannelReducer<Event, State> {
  /** The state before the first event. */
  readonly initial: State;
  /**
   * Makes the next state of an event, of a reset, or of the snapshot of the server. It is called once for
   * each, also when several come before the component renders.
   */
  readonly reduce: (state: State, event: ChannelEvent<Event>) => State;
}

/** The options of `useChannel()`. Functions may be new ones at each render. */
export type ChannelOptions<Event, State> = ChannelSettings<Event> &
  (ChannelReducer<Event, State> | { readonly initial?: undefined; readonly reduce?: undefined });

export interface ChannelSettings<Event> {
  /**
   * Where to begin: after the event at this position, or with the oldest event that the server keeps. Of
   * the readers of a channel only the first has it; another has the status `failed`. Default: with what
   * is sent from now on
   */
  readonly from?: 'earliest' | (string & {}) | undefined;
  /** How many `events` are kept. Default: 100 */
  readonly keep?: number | undefined;
  /** Whether the channel is subscribed. Params are not looked at while it is not. Default: true */
  readonly enabled?: boolean | undefined;
  /** Called for each event, and for each reset. Default: nothing */
  readonly onEvent?: ((event: Event | ClientReset) => unknown) | undefined;
}
