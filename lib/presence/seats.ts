import type { PresenceStore } from '../channel/presence.js';
import type { SseLogger } from '../channel/source.js';
import type { Attendance, Attending } from '../delivery/attendance.js';
import type { Client, CountedAs } from '../delivery/client.js';
import type { ConnectionFilter } from '../delivery/connection-filter.js';
import type { Connection } from '../delivery/connection.js';
import { HeldPlaces } from './held-places.js';
import { NumberSet } from './number-set.js';
import { Room, Seat } from './seat.js';
import { SeatPuts } from './seat-puts.js';
import { SeveralInfos } from './several-infos.js';

interface Services {
  /** Runs a function outside of any request's async context. */
  readonly detach: <R>(run: () => R) => R;
  readonly log: SseLogger;
}

/** Who has how many connections of this instance in which channels. Puts each change into the store. */
export class Seats implements Attendance {
  private readonly rooms = new Map<string, Room>();
  /** The connections, by number, that read one channel for good: there may be very many. */
  private readonly fixed = new NumberSet();
  /** The seats of the others. */
  private readonly several = new Map<Connection, readonly Seat[]>();
  private readonly infos = new SeveralInfos();
  private readonly held: HeldPlaces;
  private readonly puts: SeatPuts;

  /** @param grace for how long the place of a connection that has ended is held, in milliseconds */
  constructor(store: PresenceStore, grace: number, { detach, log }: Services) {
    this.held = new HeldPlaces(grace, (seat) => this.puts.add(seat), detach);
    this.puts = new SeatPuts(store, this, detach, log);
  }

  enter(connection: Connection, counted: CountedAs, { isAnnounced, isFixed }: Attending): void {
    const who = whoIs(counted);
    const { channels } = connection;
    const [name, another] = channels;
    if (isFixed && name !== undefined && another === undefined) {
      this.fixed.add(connection.number);
      this.sit(this.seatIn(name, who, isAnnounced), connection, who, isAnnounced);
      return;
    }
    const before = this.several.get(connection) ?? [];
    const names = new Set(channels);
    const stay = before.filter(({ channel }) => names.delete(channel));
    const come = [...names].map((each) => this.seatIn(each, who, isAnnounced));
    come.forEach((seat) => this.sit(seat, connection, who, isAnnounced));
    const staying = new Set(stay);
    before.forEach((seat) => staying.has(seat) || this.rise(seat, connection));
    this.several.set(connection, [...stay, ...come]);
  }

  leave(connection: Connection, counted: CountedAs, isForGood: (channel: string) => boolean): void {
    if (this.fixed.delete(connection.number)) {
      const [name] = connection.channels as [string];
      const seat = this.rooms.get(name)?.get(whoIs(counted)?.id);
      if (seat) {
        this.rise(seat, connection, isForGood(name));
      }
    } else {
      this.several
        .get(connection)
        ?.forEach((seat) => this.rise(seat, connection, isForGood(seat.channel)));
      this.several.delete(connection);
    }
  }

  waitNoMoreFor({ client, channel }: ConnectionFilter): void {
    this.held.release(
      (seat) =>
        (client === undefined || seat.client === client) &&
        (channel === undefined || seat.channel === channel),
    );
  }

  /** Puts all seats once more, or those in a channel: the store may have lost them. */
  putAgain(channel?: string): void {
    const rooms = channel === undefined ? this.rooms.values() : [this.rooms.get(channel)];
    for (const room of rooms) {
      room?.forEach((seat) => this.puts.add(seat));
    }
  }

  /** How many clients are present in channels by connections of this instance, each once for a channel. */
  get size(): number {
    let size = 0;
    this.rooms.forEach((room) => (size += room.size));
    return size;
  }

  stop(): void {
    this.held.stop();
    this.puts.stop();
  }

  /** How many connections a seat has, those among them whose place is held. */
  countOf(seat: Seat): number {
    return seat.count + this.held.of(seat);
  }

  /** Forgets a seat that is gone here and in the store. */
  onPut(seat: Seat): void {
    const { room, client } = seat;
    if (seat.connections === 0 && this.countOf(seat) === 0 && room.get(client) === seat) {
      room.delete(client);
      if (room.size === 0) {
        this.rooms.delete(room.channel);
      }
    }
  }

  private seatIn(channel: string, who: Client | undefined, isAnnounced: boolean): Seat {
    let room = this.rooms.get(channel);
    if (!room) {
      this.rooms.set(channel, (room = new Room(channel)));
    }
    let seat = room.get(who?.id);
    if (!seat) {
      room.set(who?.id, (seat = new Seat(room, who, isAnnounced)));
    }
    return seat;
  }

  private sit(
    seat: Seat,
    connection: Connection,
    who: Client | undefined,
    isAnnounced: boolean,
  ): void {
    this.infos.come(seat, connection, who);
    const isKnown = this.held.take(seat);
    const isTold = seat.isAnnounced || !isAnnounced;
    seat.count++;
    if (!isKnown || !isTold || seat.info !== who?.info) {
      seat.who = who;
      seat.isAnnounced ||= isAnnounced;
      this.puts.add(seat);
    }
  }

  private rise(seat: Seat, connection: Connection, isForGood = false): void {
    seat.count--;
    const hasNews = this.infos.go(seat, connection);
    if (!isForGood) {
      this.held.hold(seat);
    }
    if (isForGood || hasNews) {
      this.puts.add(seat);
    }
  }
}

function whoIs(counted: CountedAs): Client | undefined {
  return typeof counted === 'string' ? undefined : counted;
}
