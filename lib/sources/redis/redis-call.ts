import { withDeadline } from '../../channel/deadline.js';
import { plainError } from './plain-error.js';
import type { RedisClient } from './redis-option.js';

export type RedisCommand = readonly [name: string, ...args: (string | number)[]];

/** A command's reply, or the error that came in its place. */
export type RedisReply = { readonly ok: unknown } | { readonly error: Error };

/** A Lua script. Calls name it by its digest, so that its text crosses the wire once. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

export interface ScriptCall {
  readonly script: RedisScript;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/**
 * How long we wait for a reply, in milliseconds. Our own connection ends before that; a client of
 * the application may keep a command for ever. At most two WAITs of four seconds each run before a
 * command.
 */
export const CALL_TIMEOUT_MS = 10_000;

/**
 * Sends a command. An error repeats none of the command's arguments.
 *
 * @throws SseError `UNAVAILABLE` when there is no reply in time
 */
export function callRedis(client: RedisClient, ...[name, ...args]: RedisCommand): Promise<unknown> {
  return answered(client.call(name, ...args));
}

/**
 * Runs a script, and sends its text if the server does not know it yet.
 * @throws SseError `UNAVAILABLE` when the connection is down or there is no reply in time
 */
export async function callScript(
  connection: { client(): Promise<RedisClient> },
  call: ScriptCall,
): Promise<unknown> {
  const client = await connection.client();
  try {
    return await callRedis(client, ...commandOf(call, 'sha'));
  } catch (error) {
    if (!isUnknownScript(error as Error)) {
      throw error;
    }
    return callRedis(client, ...commandOf(call, 'text'));
  }
}

/** Runs many script calls like `runBatch`, and sends a script's text if the server does not know it yet. */
export async function runScripts(
  client: RedisClient,
  calls: readonly ScriptCall[],
): Promise<readonly RedisReply[]> {
  const first = calls.map((call) => commandOf(call, 'sha'));
  const replies = [...(await runBatch(client, first))];
  const unknown = replies.flatMap((reply, index) =>
    'error' in reply && isUnknownScript(reply.error) ? [index] : [],
  );
  const again = await runBatch(
    client,
    unknown.map((index) => commandOf(calls[index]!, 'text')),
  );
  unknown.forEach((index, nth) => (replies[index] = again[nth]!));
  return replies;
}

/** Runs many commands in one round trip, each with its own outcome. Never rejects. */
export async function runBatch(
  client: RedisClient,
  commands: readonly RedisCommand[],
): Promise<readonly RedisReply[]> {
  // A pipeline of a Cluster client takes only keys of one node; single commands are
  // routed each, and written to their sockets in the same turn.
  if (client.isCluster || commands.length <= 1) {
    return Promise.all(
      commands.map((command) => callRedis(client, ...command).then(replyOf, errorOf)),
    );
  }
  try {
    const pipeline = client.pipeline(commands.map((command) => [...command]));
    const replies = (await answered(pipeline.exec())) ?? [];
    return commands.map((_, index) => {
      const [error, result] = replies[index] ?? [new Error('The pipeline was aborted.'), undefined];
      return error ? errorOf(plainError(error)) : replyOf(result);
    });
  } catch (error) {
    return commands.map(() => errorOf(error as Error));
  }
}

function replyOf(ok: unknown): RedisReply {
  return { ok };
}

function errorOf(error: Error): RedisReply {
  return { error };
}

function isUnknownScript(error: Error): boolean {
  return error.message.startsWith('NOSCRIPT');
}

function commandOf({ script, keys, args }: ScriptCall, by: 'sha' | 'text'): RedisCommand {
  return [by === 'sha' ? 'evalsha' : 'eval', script[by], keys.length, ...keys, ...args];
}

/** Waits for a client's reply, with a deadline, and with errors that are safe to show. */
async function answered<T>(reply: Promise<T>): Promise<T> {
  try {
    return await withDeadline(reply, CALL_TIMEOUT_MS, 'Redis');
  } catch (error) {
    throw plainError(error);
  }
}
