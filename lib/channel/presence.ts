/**
 * Who is present in a channel, as far as one instance knows: how many connections one client has
 * there, or all those without a client together.
 */
export interface PresenceSeat {
  readonly channel: string;
  /** The client's id: any text of 1 to 1,024 characters. `undefined`: those without a client. */
  readonly client: string | undefined;
  /** What others may know of the client, as JSON of at most 4,096 characters. */
  readonly info: string | undefined;
  /** When the first of these connections was opened, in milliseconds since the epoch. */
  readonly since: number;
  /** How many connections there are; 0 when there are none any more. */
  readonly connections: number;
  /** Whether the channel carries an event when this client joins or leaves. */
  readonly isAnnounced: boolean;
  /**
   * Rises with each seat that the instance puts. A repeated call has the same one, so that a store can
   * tell again what the first call has changed.
   */
  readonly revision: number;
}

/** A client that is present in a channel, whatever the number of its connections and instances. */
export interface PresenceMember {
  readonly id: string;
  /** What the newest of its connections tells of it, as JSON. */
  readonly info: string | undefined;
  readonly connections: number;
  /** When the oldest of its connections was opened, in milliseconds since the epoch. */
  readonly since: number;
}

/** Some members of a channel, and how many connections the channel has in all. */
export interface PresencePage {
  readonly members: readonly PresenceMember[];
  /** Those of all members, also of other pages, and those without a client. */
  readonly connections: number;
}

export interface PresenceCounts {
  readonly members: number;
  readonly connections: number;
}

/** Takes what a store finds out. */
export interface PresenceSink {
  /** A call of this instance has brought the channel its first connection on any instance. */
  occupied(channel: string): void;
  /** A call of this instance has removed the channel's last connection on any instance. */
  vacated(channel: string): void;
  /**
   * What this instance has put may be lost, in one channel or in all: the system behind the store has
   * lost data, or took this instance for dead. The instance puts all its seats again.
   */
  lost(channel?: string): void;
}

export interface PresenceOptions {
  /** The seats of an instance that has shown no sign of life for so long are removed, in milliseconds. */
  readonly timeout: number;
}

/**
 * Where all instances keep who is present. A client is a member of a channel while at least one instance
 * has a seat with connections for it.
 *
 * When an announced seat makes a client a member, the channel carries an event of the type `sse:join`; when
 * the last announced seat goes, one of the type `sse:leave`. The change and its event are one step: nobody
 * sees one without the other. The data of the event is `{ channel, id, info }` as JSON.
 */
export interface PresenceStore {
  /**
   * Puts seats in place of those that this instance has put before for the same channel and client.
   * Resolves once the system has them. The package repeats a call that rejects, so that a repeated seat
   * must change nothing. No two calls at a time have a seat for the same channel and client.
   */
  put(seats: readonly PresenceSeat[]): Promise<void>;
  /**
   * Up to `limit` members whose ids follow `after`, or the first ones, in an order that the store chooses.
   * A member that stays while others come and go is on exactly one page.
   */
  list(channel: string, after: string | undefined, limit: number): Promise<PresencePage>;
  count(channel: string): Promise<PresenceCounts>;
  /**
   * Calls `onChange` when the members of a channel or the number of their connections may have changed,
   * on any instance. Returns a function that ends it.
   */
  watch(channel: string, onChange: () => void): () => void;
  /**
   * Called at shutdown. The seats that are left go after `leaveAfter` ms, for which other instances
   * see to it: the clients have time to come back elsewhere. The store must not call the sink after this.
   */
  close(leaveAfter: number): Promise<void>;
}

/** The types of the events that tell of a channel's members. */
export const JOIN_TYPE = 'sse:join';
export const LEAVE_TYPE = 'sse:leave';

/** The `data` of a `sse:join` event. */
export interface SseJoin<Info = unknown> {
  readonly channel: string;
  /** The client's id, as the option `client` tells it. */
  readonly id: string;
  /** What the newest of its connections tells of it; absent if that is nothing. */
  readonly info?: Info;
}

/** The `data` of a `sse:leave` event. */
export type SseLeave<Info = unknown> = SseJoin<Info>;

/** The text of `sse:join` and `sse:leave`, which tell of clients with an id. */
export function presenceData({
  channel,
  client,
  info,
}: Pick<PresenceSeat, 'channel' | 'client' | 'info'>): string {
  const start = JSON.stringify({ channel, id: client! } satisfies SseJoin);
  return info === undefined ? start : `${start.slice(0, -1)},"info":${info}}`;
}
