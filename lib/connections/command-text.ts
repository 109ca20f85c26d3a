import { randomUUID } from 'node:crypto';
import type { DisconnectCommand } from './disconnect.options.js';

/** The version of what instances write to the control log. */
const VERSION = 1;

/** A database may have an encoding that lacks characters of a client's id. */
const NOT_ASCII = /[\u007f-\uffff]/g;

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A command as it stands in the control log. */
interface CommandText {
  readonly v: number;
  /** Tells the command from all others, as it may come twice. */
  readonly id: string;
  readonly client?: string;
  readonly channel?: string;
  readonly connection?: string;
  readonly block: number;
  readonly reason?: string;
}

/** A command that was read; `later` when a later version of the package wrote it. */
export type ReadCommand = (DisconnectCommand & { readonly id: string }) | 'later' | undefined;

export function commandText({ target, block, reason }: DisconnectCommand): {
  id: string;
  text: string;
} {
  const id = randomUUID();
  const text = JSON.stringify({ v: VERSION, id, ...target, block, reason });
  return { id, text: text.replace(NOT_ASCII, escaped) };
}

/** Reads a command. `undefined` for what is none: other programs may write to the same system. */
export function readCommand(text: string): ReadCommand {
  let read: Partial<CommandText> | null;
  try {
    read = JSON.parse(text) as Partial<CommandText> | null;
  } catch {
    return undefined;
  }
  const { v, id, client, channel, connection, block, reason } = read ?? {};
  if (typeof v === 'number' && v > VERSION) {
    return 'later';
  }
  const target = { client, channel, connection };
  const names = Object.values(target).filter((name) => name !== undefined);
  return v === VERSION &&
    typeof id === 'string' &&
    typeof block === 'number' &&
    names.length > 0 &&
    names.every((name) => typeof name === 'string') &&
    (reason === undefined || typeof reason === 'string')
    ? { id, target, block, reason }
    : undefined;
}
