import { plain, plainJson } from '../../channel/plain-text.js';
import type { ListenedEvent } from './listened-event.js';

/** Colours of a terminal, by their numbers. */
const COLOURS = { dim: 2, red: 31, yellow: 33, cyan: 36 } as const;

type Colour = keyof typeof COLOURS;

/** Whether a stream of the process is a terminal that shows colours. */
export function hasColours(stream: { readonly isTTY?: boolean }, env = process.env): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/** Paints a text that has no control characters, if colours are shown. */
export function painted(text: string, colour: Colour, isColoured: boolean): string {
  return isColoured ? `\x1b[${COLOURS[colour]}m${text}\x1b[0m` : text;
}

/**
 * An event as lines for people: the time, the channel, the position, the delay, the type and the data.
 * Nothing of it reaches the terminal as a control character.
 */
export function linesOf(event: ListenedEvent, isColoured: boolean): string {
  const { at, type, data, position, channel, delay } = event;
  const [first = '', ...others] = data.split('\n').map(plain);
  const isReset = type === 'sse:reset';
  const parts = [
    painted(new Date(at).toISOString().slice(11, 23), 'dim', isColoured),
    ...(channel === undefined ? [] : [plain(channel)]),
    ...(position === undefined ? [] : [painted(plain(position), 'dim', isColoured)]),
    ...(delay === undefined ? [] : [painted(`${delay} ms`, 'dim', isColoured)]),
    painted(plain(type), isReset ? 'yellow' : 'cyan', isColoured),
    first,
  ];
  return `${[parts.join('  '), ...others.map((line) => `    ${line}`)].join('\n')}\n`;
}

/** An event as one line of JSON. */
export function jsonOf({ at, type, data, id, position, channel, delay }: ListenedEvent): string {
  const line = plainJson({
    type,
    data,
    ...(id !== undefined && { id }),
    ...(position !== undefined && { position }),
    ...(channel !== undefined && { channel }),
    at: new Date(at).toISOString(),
    ...(delay !== undefined && { delay }),
  });
  return `${line}\n`;
}
