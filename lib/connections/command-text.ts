import { randomUUID } from 'node:crypto';
import { disconnectCommand, type DisconnectCommand } from './disconnect.options.js';

/** The version of what instances write to the control log. */
const VERSION = 1;

/** A database may have an encoding that lacks characters of a client's id. */
const NOT_ASCII = /[\u007f-\uffff]/g;

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A command that was read; `later` when a later version of the package wrote it. */
export type ReadCommand = (DisconnectCommand & { readonly id: string }) | 'later' | undefined;

/** Writes a command. The `id` tells it from all others, as it may come twice. */
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
  try {
    const read = JSON.parse(text) as Partial<Record<string, unknown>>;
    const { v, id, client, channel, connection, block, reason } = read;
    if (typeof v === 'number' && v > VERSION) {
      return 'later';
    }
    return v === VERSION && typeof id === 'string'
      ? { id, ...disconnectCommand({ client, channel, connection }, { block, reason }) }
      : undefined;
  } catch {
    return undefined;
  }
}
