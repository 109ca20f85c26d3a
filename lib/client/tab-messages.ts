import { SseClientError, type ClientFailure } from './client-error.js';
import type { ClientStatus, Ending, UpstreamEvent } from './upstream.js';

/** What the leader's connection has told, for all tabs. `asked`: where the channel was to begin or go on. */
export type TabCall =
  | readonly ['opened', name: string, position: string | undefined, asked: string | undefined]
  | readonly ['event', name: string, event: UpstreamEvent]
  | readonly ['reset', name: string, reason: string, position: string | undefined]
  | readonly ['over', name: string, how: Ending, asked: string | undefined, ...TabError]
  | readonly ['status', ...TabStatus];

/** An error's class does not pass between tabs. */
export type TabError = readonly [message?: string | undefined, failure?: ClientFailure | undefined];

export type TabStatus = readonly [status: ClientStatus, ...TabError];

export function packed(error: SseClientError | undefined): TabError {
  if (!error) return [];
  const { message, status, reason, isFinal } = error;
  return [message, { status, reason, isFinal }];
}

export function unpacked([message, failure]: TabError): SseClientError | undefined {
  return message === undefined ? undefined : new SseClientError(message, failure);
}

/** Where the leader stands in a channel that is open. */
export type TabPlace = readonly [
  name: string,
  position: string | undefined,
  /** The channel began with a state or with who is present, which a tab that comes later needs too. */
  hasState: boolean,
];

/** From the leader: what its connection told in one turn. Numbered from 1 in each term. */
export interface Told {
  readonly term: number;
  readonly n: number;
  readonly calls: readonly TabCall[];
}

/** From the leader: that it leads, or how it stands in the channels that a tab has asked for. */
export interface Stands {
  readonly term: number;
  /** The number of its last {@link Told}. */
  readonly n: number;
  readonly status: TabStatus;
  readonly places: readonly TabPlace[];
}

/** A channel that a tab wants. `isLate`: others are further, so that it catches up by itself. */
export type TabWant = readonly [name: string, position: string | undefined, isLate: boolean];

/** From any tab: what it wants, all of it; without a list, only whether the leader is there. */
export interface Asks {
  readonly tab: string;
  /** The highest term that the tab knows. */
  readonly seen: number;
  readonly list?: readonly TabWant[];
}

export type TabMessage = Told | Stands | Asks;

/** The rest of a position whose event was not received, but nothing else between. */
const NEXT = /~next$/;

/** Whether two positions are followed by the same events. */
export function isSamePlace(one: string | undefined, other: string | undefined): boolean {
  return one === other || (!!one && one.replace(NEXT, '') === other?.replace(NEXT, ''));
}
