import type { PresenceStore } from '../channel/presence.js';
import type { SseLogger } from '../channel/source.js';
import type { Attendance } from '../delivery/attendance.js';
import type { Client, CountedAs } from '../delivery/client.js';
import type { Connection } from '../delivery/connection.js';
import { HeldPlaces } from './held-places.js';
import { Room, Seat } from './seat.js';
import { SeatPuts } from './seat-puts.js';

interface Services {
  /** Runs a function outside of any request's async context. */
  readonly detach: <R>(run: () => R) => R;
  readonly log: SseLogger;
}

/** Who has how many connections of this instance in which channels. Puts each change into the store. */
export class Seats implements Attendance {
  private readonly rooms = new Map<string, Room>();
  /** The seats of each connection. Most have one, and no array. */
  private readonly taken = new Map<Connection, Seat | readonly Seat[]>();
  private readonly held: HeldPlaces;
  private readonly puts: SeatPuts;

  /** @param grace for how long the place of a connection that has ended is held, in milliseconds */
  constructor(store: PresenceStore, grace: number, { detach, log }: Services) {
    this.held = new HeldPlaces(grace, (seat) => this.puts.add(seat), detach);
    this.puts = new SeatPuts(store, this, detach, log);
  }

  enter(connection: Connection, counted: CountedAs, isAnnounced: boolean): void {
    const who = typeof counted === 'string' ? undefined : counted;
    const before = this.seatsOf(connection);
    const names = new Set(connection.channels);
    const stay = before.filter(({ channel }) => names.delete(channel));
    const seats = [...stay];
    for (const name of names) {
      const seat = this.seatIn(name, who, isAnnounced);
      seats.push(seat);
      this.sit(seat, who);
    }
    before.forEach((seat) => stay.includes(seat) || this.rise(seat));
    this.taken.set(connection, seats.length === 1 ? seats[0]! : seats);
  }

  leave(connection: Connection): void {
    const seats = this.seatsOf(connection);
    this.taken.delete(connection);
    seats.forEach((seat) => this.rise(seat));
  }

  /** Puts all seats once more, or those in a channel: the store may have lost them. */
  putAgain(channel?: string): void {
    const rooms = channel === undefined ? this.rooms.values() : [this.rooms.get(channel)];
    for (const room of rooms) {
      room?.seats.forEach((seat) => this.puts.add(seat));
    }
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
    if (seat.connections === 0 && this.countOf(seat) === 0 && room.seats.get(client) === seat) {
      room.seats.delete(client);
      if (room.seats.size === 0) {
        this.rooms.delete(room.channel);
      }
    }
  }

  private seatsOf(connection: Connection): readonly Seat[] {
    const taken = this.taken.get(connection) ?? [];
    return taken instanceof Seat ? [taken] : taken;
  }

  private seatIn(channel: string, who: Client | undefined, isAnnounced: boolean): Seat {
    let room = this.rooms.get(channel);
    if (!room) {
      this.rooms.set(channel, (room = new Room(channel)));
    }
    let seat = room.seats.get(who?.id);
    if (!seat) {
      room.seats.set(who?.id, (seat = new Seat(room, who, isAnnounced)));
    }
    return seat;
  }

  private sit(seat: Seat, who: Client | undefined): void {
    const isKnown = this.held.take(seat);
    seat.count++;
    if (!isKnown || seat.info !== who?.info) {
      seat.who = who;
      this.puts.add(seat);
    }
  }

  private rise(seat: Seat): void {
    seat.count--;
    this.held.hold(seat);
  }
}
