import type { Client } from '../delivery/client.js';
import type { Connection } from '../delivery/connection.js';
import type { Seat } from './seat.js';

/** Who a client is by its connections in one channel. */
interface Infos {
  /** By all connections that came before they differed. */
  readonly first: Client | undefined;
  /** By each that came later, the newest last. */
  readonly later: Map<Connection, Client | undefined>;
}

/** Finds the newest open connection of those clients whose connections tell different infos: very few. */
export class SeveralInfos {
  private readonly infos = new Map<Seat, Infos>();

  /** To be called before the seat counts the connection. */
  come(seat: Seat, connection: Connection, who: Client | undefined): void {
    let infos = this.infos.get(seat);
    if (!infos) {
      if (seat.count === 0 || seat.info === who?.info) {
        return;
      }
      this.infos.set(seat, (infos = { first: seat.who, later: new Map() }));
    }
    infos.later.set(connection, who);
  }

  /** To be called when the seat counts the connection no more. Returns whether that changes the info. */
  go(seat: Seat, connection: Connection): boolean {
    const infos = this.infos.get(seat);
    if (!infos) {
      return false;
    }
    const { first, later } = infos;
    later.delete(connection);
    if (later.size === 0) {
      this.infos.delete(seat);
    }
    if (seat.count === 0) {
      return false;
    }
    const before = seat.info;
    seat.who = later.size === 0 ? first : [...later.values()].at(-1);
    return seat.info !== before;
  }
}
