import { createHash } from 'node:crypto';
import { SseError } from './sse-error.js';

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

/**
 * Checks that each channel of one connection has a label of its own. An attacker can make up two
 * names with the same label; a client of both would resume one at the position of the other.
 *
 * @throws SseError `INVALID_CHANNEL`
 */
export function checkLabels(
  channels: readonly { readonly name: string; readonly label: string }[],
): void {
  const byLabel = new Map<string, { readonly name: string }>();
  for (const channel of channels) {
    const other = byLabel.get(channel.label);
    if (other && other !== channel) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The channels ${JSON.stringify(other.name)} and ${JSON.stringify(channel.name)} have the same label in ` +
          'event ids, so that one connection cannot resume both. Rename one, or use two connections.',
      );
    }
    byLabel.set(channel.label, channel);
  }
}

/** One channel's position under its label. */
export function labelledPosition(label: string, position: string): string {
  return label + LABEL_END + position;
}

/** Writes a composite id without the channels whose position is unknown. */
export function formatCompositeId(
  places: readonly {
    readonly channel: { readonly label: string };
    /** Empty, like `undefined`, for none. */
    readonly position: string | undefined;
  }[],
): string {
  let id = '';
  for (const { channel, position } of places) {
    if (position) {
      id += (id && SEPARATOR) + labelledPosition(channel.label, position);
    }
  }
  return id;
}

/** Whether each position in a composite id has at most so many characters. */
export function hasShortPositions(id: string, most: number): boolean {
  const mostOfPart = LABEL_LENGTH + LABEL_END.length + most;
  return id.split(SEPARATOR).every((part) => part.length <= mostOfPart);
}

/** Reads a composite id into positions by label; `undefined` when the id has another form. */
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
