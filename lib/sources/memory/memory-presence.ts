import {
  JOIN_TYPE,
  LEAVE_TYPE,
  presenceData,
  type PresenceCounts,
  type PresencePage,
  type PresenceSeat,
  type PresenceSink,
  type PresenceStore,
} from '../../channel/presence.js';
import { SmallMap } from '../../channel/small-map.js';
import type { ChannelSink } from '../../channel/source.js';

/**
 * The seats of one channel, by client; those without a client together. The instance keeps the same
 * objects, and changes nothing of them but by `put()`.
 */
type Room = SmallMap<string | undefined, PresenceSeat>;

const EMPTY: Room = new SmallMap();

/** Keeps who is present in this process. */
export class MemoryPresence implements PresenceStore {
  private readonly rooms = new Map<string, Room>();
  /** The seats whose channel has told of them: a seat may become announced later. */
  private readonly announced = new WeakSet<PresenceSeat>();
  private readonly watchers = new Map<string, Set<() => void>>();

  constructor(
    private readonly sink: PresenceSink,
    /** Takes the events of a channel. */
    private readonly logOf: (channel: string) => Pick<ChannelSink, 'append'>,
  ) {}

  /** @throws the first error of an event that could not be appended; the seats are put all the same */
  async put(seats: readonly PresenceSeat[]): Promise<void> {
    const errors: unknown[] = [];
    for (const seat of seats) {
      try {
        this.putOne(seat);
      } catch (error) {
        errors.push(error);
      }
    }
    for (const channel of new Set(seats.map((seat) => seat.channel))) {
      this.watchers.get(channel)?.forEach((tell) => tell());
    }
    if (errors.length > 0) {
      throw errors[0];
    }
  }

  async list(channel: string, after: string | undefined, limit: number): Promise<PresencePage> {
    const room = this.roomOf(channel);
    const ids = [...room.keys()].filter(
      (id): id is string => id !== undefined && (after === undefined || id > after),
    );
    const members = ids
      .sort()
      .slice(0, limit)
      .map((id) => {
        const { info, connections, since } = room.get(id)!;
        return { id, info, connections, since };
      });
    return { members, connections: connectionsIn(room) };
  }

  async count(channel: string): Promise<PresenceCounts> {
    const room = this.roomOf(channel);
    return {
      members: room.size - (room.has(undefined) ? 1 : 0),
      connections: connectionsIn(room),
    };
  }

  watch(channel: string, onChange: () => void): () => void {
    let watchers = this.watchers.get(channel);
    if (!watchers) {
      this.watchers.set(channel, (watchers = new Set()));
    }
    watchers.add(onChange);
    return () => {
      watchers.delete(onChange);
      if (watchers.size === 0) {
        this.watchers.delete(channel);
      }
    };
  }

  /** All seats go with the process. */
  async close(): Promise<void> {
    this.watchers.clear();
  }

  private roomOf(channel: string): Room {
    return this.rooms.get(channel) ?? EMPTY;
  }

  private putOne(seat: PresenceSeat): void {
    const { channel, client, connections } = seat;
    const room = this.rooms.get(channel);
    const before = room?.get(client);
    const wasAnnounced = before !== undefined && this.announced.has(before);
    if (connections > 0) {
      this.seat(room, seat);
      if (seat.isAnnounced && seat.client !== undefined) {
        this.announced.add(seat);
        if (!wasAnnounced) {
          this.announce(JOIN_TYPE, seat);
        }
      }
    } else if (before) {
      room!.delete(client);
      if (room!.size === 0) {
        this.rooms.delete(channel);
        this.sink.vacated(channel);
      }
      if (wasAnnounced) {
        this.announced.delete(before);
        this.announce(LEAVE_TYPE, before);
      }
    }
  }

  private seat(room: Room | undefined, seat: PresenceSeat): void {
    if (room) {
      room.set(seat.client, seat);
      return;
    }
    const first: Room = new SmallMap();
    first.set(seat.client, seat);
    this.rooms.set(seat.channel, first);
    this.sink.occupied(seat.channel);
  }

  private announce(type: string, seat: PresenceSeat): void {
    this.logOf(seat.channel).append({ data: presenceData(seat), type, isPresence: true });
  }
}

function connectionsIn(room: Room): number {
  let sum = 0;
  room.forEach(({ connections }) => (sum += connections));
  return sum;
}
