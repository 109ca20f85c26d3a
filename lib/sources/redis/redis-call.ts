import { withDeadline } from '../../channel/deadline.js';
import { plainError } from './plain-error.js';
import type { RedisClient } from './redis-option.js';

/** A Redis command with its arguments. */
export type RedisCommand = readonly [name: string, ...args: (string | number)[]];

/** A command's reply, or the error that came in its place. */
export type RedisReply = { readonly ok: unknown } | { readonly error: Error };

/**
 * How long we wait for a reply, in milliseconds. A connection of ours ends before that;
 * a client of the application's may keep a command for as long as it likes. Commands stand behind
 * two WAITs at most, of four seconds each.
 */
export const CALL_TIMEOUT_MS = 10_000;

/**
 * Sends a command, as everything here does. What it rejects with holds nothing of what the
 * command was given.
 *
 * @throws SseError `UNAVAILABLE` when there is no reply in time
 */
export function callRedis(client: RedisClient, ...[name, ...args]: RedisCommand): Promise<unknown> {
  return answered(client.call(name, ...args));
}

/** Sends a command. Never rejects. */
export async function replyTo(client: RedisClient, command: RedisCommand): Promise<RedisReply> {
  try {
    return { ok: await callRedis(client, ...command) };
  } catch (error) {
    return { error: error as Error };
  }
}

/** Waits for a client's reply, with a deadline, and with errors that are safe to show. */
export async function answered<T>(reply: Promise<T>): Promise<T> {
  try {
    return await withDeadline(reply, CALL_TIMEOUT_MS, 'Redis');
  } catch (error) {
    throw plainError(error);
  }
}
