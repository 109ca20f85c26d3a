import { plainError } from './plain-error.js';
import type { RedisClient } from './redis-option.js';

/** A Redis command with its arguments. */
export type RedisCommand = readonly [name: string, ...args: (string | number)[]];

/** A command's reply, or the error that came in its place. */
export type RedisReply = { readonly ok: unknown } | { readonly error: Error };

/**
 * Sends a command, as everything here does. What it rejects with holds nothing of what the
 * command was given.
 */
export async function callRedis(
  client: RedisClient,
  ...[name, ...args]: RedisCommand
): Promise<unknown> {
  try {
    return await client.call(name, ...args);
  } catch (error) {
    throw plainError(error);
  }
}

/** Sends a command. Never rejects. */
export async function replyTo(client: RedisClient, command: RedisCommand): Promise<RedisReply> {
  try {
    return { ok: await callRedis(client, ...command) };
  } catch (error) {
    return { error: error as Error };
  }
}
