/** A place in a run: after the chunk with this number, or before the beginning. */
export interface RunPlace {
  readonly id: string;
  readonly seq: number;
}

/** The place of a client that receives the whole run, and before it a reset with this reason. */
export const BEFORE_BEGINNING = { trimmed: -1, 'unknown-position': -2 } as const;

/** A run's id, a dot, and a number. */
const POSITION = /^([\w-]{1,64})\.(-[12]|0|[1-9]\d{0,14})$/;

export function runPosition(id: string, seq: number | ''): string {
  return `${id}.${seq}`;
}

/** The place of a position; `undefined` for any other text. */
export function placeOf(position: string): RunPlace | undefined {
  const [, id, seq] = POSITION.exec(position) ?? [];
  return id === undefined ? undefined : { id, seq: Number(seq) };
}
