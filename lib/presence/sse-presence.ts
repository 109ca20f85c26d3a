import type { PresencePage } from '../channel/presence.js';

/** A client that is present in a channel. */
export interface SseMember {
  /** The client's id, as the option `client` tells it. */
  readonly id: string;
  /** What the newest of its open connections tells of it, as JSON carries it. */
  readonly info: unknown;
  /** How many connections it has, on all instances. */
  readonly connections: number;
  /** When the oldest of them was opened. */
  readonly since: Date;
}

/** Who is present in a channel. */
export interface SsePresence {
  readonly members: readonly SseMember[];
  /** How many connections the channel has, those of clients without an id among them. */
  readonly connections: number;
}

/** How many are present in a channel. */
export interface SsePresenceStats {
  readonly members: number;
  /** How many connections the channel has, those of clients without an id among them. */
  readonly connections: number;
}

/** A channel has its first connection anywhere. */
export interface SseOccupied {
  readonly type: 'occupied';
  readonly channel: string;
}

/** A channel's last connection anywhere is gone. */
export interface SseVacated {
  readonly type: 'vacated';
  readonly channel: string;
}

/** How applications see a page. */
export function presenceOf({ members, connections }: PresencePage): SsePresence {
  return {
    members: members.map(({ info, since, ...member }) => ({
      ...member,
      info: info === undefined ? undefined : (JSON.parse(info) as unknown),
      since: new Date(since),
    })),
    connections,
  };
}
