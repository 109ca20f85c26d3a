/** A place in the event table: `<timeline>.<id>` as text. */
export interface Position {
  /** The server's timeline: it changes with each failover and restore. */
  readonly timeline: number;
  /** The event's number, or that of the event before. */
  readonly id: number;
}

const POSITION = /^(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,15})$/;

/** Reads a position; `undefined` for any other text, which a client may have sent. */
export function parsePosition(text: string): Position | undefined {
  const match = POSITION.exec(text);
  if (!match) {
    return undefined;
  }
  const id = Number(match[2]);
  return Number.isSafeInteger(id) ? { timeline: Number(match[1]), id } : undefined;
}

export function formatPosition({ timeline, id }: Position): string {
  return `${timeline}.${id}`;
}

let lastText = '';
let lastPosition: Position | undefined;

/** Like `parsePosition()`, which it leaves out for the same text again. */
function positionOf(text: string): Position | undefined {
  if (text !== lastText) {
    lastPosition = parsePosition(text);
    lastText = text;
  }
  return lastPosition;
}

/** Orders two positions; any other text comes after all of them. */
export function comparePositions(a: string, b: string): number {
  // Events come in order, so that `b` was the `a` of the call before, most of the time.
  const second = positionOf(b);
  const first = positionOf(a);
  if (!first || !second) {
    return a === b ? 0 : first ? -1 : second ? 1 : a < b ? -1 : 1;
  }
  return first.timeline - second.timeline || first.id - second.id;
}
