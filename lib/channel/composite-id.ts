import { createHash } from 'node:crypto';

/**
 * The event id of a connection on a set of channels: one label and position per
 * channel, `<label>:<position>,…`. A label is a digest of the channel's name, so an
 * id says which channels it belongs to, and a connection whose set of channels has
 * changed still finds the positions of those that stayed.
 */

const SEPARATOR = ',';
const LABEL_END = ':';
const LABEL_LENGTH = 8;

/** The label of a channel in composite ids: 48 bits of a digest of its name. */
export function labelOf(channel: string): string {
  return createHash('sha256').update(channel).digest('base64url').slice(0, LABEL_LENGTH);
}

/** One channel's position under its label. */
export function labelledPosition(label: string, position: string): string {
  return label + LABEL_END + position;
}

/** Writes a composite id. A channel whose position is not known yet is left out. */
export function formatCompositeId(
  places: readonly {
    readonly channel: { readonly label: string };
    readonly position: string | undefined;
  }[],
): string {
  let id = '';
  for (const { channel, position } of places) {
    if (position !== undefined) {
      id += (id && SEPARATOR) + labelledPosition(channel.label, position);
    }
  }
  return id;
}

/** Reads a composite id into positions by label; `undefined` when it is not one. */
export function parseCompositeId(id: string): Map<string, string> | undefined {
  const positions = new Map<string, string>();
  for (const part of id.split(SEPARATOR)) {
    const label = part.slice(0, LABEL_LENGTH);
    const position = part.slice(LABEL_LENGTH + 1);
    if (part[LABEL_LENGTH] !== LABEL_END || position === '') {
      return undefined;
    }
    positions.set(label, position);
  }
  return positions;
}
