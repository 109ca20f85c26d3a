import type { PresenceMember, PresenceSeat } from '../../channel/presence.js';
import { REMOVE } from './lua/lua.generated.js';

/** Those without a client; no client's id as JSON is empty. */
const NOBODY = '';

/** Writes a client's id. JSON has no line ends, and tells ids apart that are no well-formed text. */
export function clientText(client: string | undefined): string {
  return client === undefined ? NOBODY : JSON.stringify(client);
}

/**
 * Writes a seat for the script that puts it.
 *
 * @param instance the name under which this instance has its seats now
 * @param formers the names before; their seats for the same client give way
 */
export function seatChange(
  seat: PresenceSeat,
  instance: string,
  formers: readonly string[],
): string {
  const { channel, client, info = '', connections, since, isAnnounced } = seat;
  const told = isAnnounced ? JSON.stringify(channel) : '';
  const before = ` ${formers.join(' ')} `;
  return [instance, before, connections, since, told, clientText(client), info].join('\n');
}

/** Writes the removal of up to `most` seats of an instance in a channel. */
export function removal(instance: string, most: number, channel: string): string {
  return [instance, '', REMOVE, most, JSON.stringify(channel), '', ''].join('\n');
}

/** Reads a member: its id as JSON, and its seats. The newest connection's seat stands last. */
export function memberOf(id: string, seats: string): PresenceMember {
  let [info, connections, since]: [string | undefined, number, number] = [undefined, 0, Infinity];
  for (const seat of seats.split('\n')) {
    const [, count, began, , ...rest] = seat.split(' ');
    connections += Number(count);
    since = Math.min(since, Number(began));
    // Blanks may stand in the info.
    info = rest.join(' ') || undefined;
  }
  return { id: JSON.parse(id) as string, info, connections, since };
}
