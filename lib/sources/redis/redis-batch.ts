import { plainError } from './plain-error.js';
import { answered, replyTo, type RedisCommand, type RedisReply } from './redis-call.js';
import type { RedisClient } from './redis-option.js';

export type { RedisCommand, RedisReply } from './redis-call.js';

/** A Lua script, which is called by its digest so that its text crosses the wire once. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

/** The call of a script, with its keys first. */
export interface ScriptCall {
  readonly script: RedisScript;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Runs many commands in one round trip, each with its own outcome. Never rejects. */
export function runBatch(
  client: RedisClient,
  commands: readonly RedisCommand[],
): Promise<readonly RedisReply[]> {
  if (commands.length === 0) {
    return Promise.resolve([]);
  }
  // A pipeline of a Cluster client takes only keys of one node; single commands are
  // routed each, and written to their sockets in the same turn.
  return client.isCluster || commands.length === 1
    ? Promise.all(commands.map((command) => replyTo(client, command)))
    : runPipeline(client, commands);
}

/** Runs a script, and sends its text where it is not known yet. Never rejects. */
export async function runScript(client: RedisClient, call: ScriptCall): Promise<RedisReply> {
  const reply = await replyTo(client, commandOf(call, 'sha'));
  return isUnknown(reply) ? replyTo(client, commandOf(call, 'text')) : reply;
}

/** Runs many script calls like `runBatch`, and sends a script's text where it is not known yet. */
export async function runScripts(
  client: RedisClient,
  calls: readonly ScriptCall[],
): Promise<readonly RedisReply[]> {
  const replies = [
    ...(await runBatch(
      client,
      calls.map((call) => commandOf(call, 'sha')),
    )),
  ];
  const unknown = replies.flatMap((reply, index) => (isUnknown(reply) ? [index] : []));
  const again = await runBatch(
    client,
    unknown.map((index) => commandOf(calls[index]!, 'text')),
  );
  unknown.forEach((index, nth) => (replies[index] = again[nth]!));
  return replies;
}

function isUnknown(reply: RedisReply): boolean {
  return 'error' in reply && reply.error.message.startsWith('NOSCRIPT');
}

function commandOf({ script, keys, args }: ScriptCall, by: 'sha' | 'text'): RedisCommand {
  return [by === 'sha' ? 'evalsha' : 'eval', script[by], keys.length, ...keys, ...args];
}

async function runPipeline(
  client: RedisClient,
  commands: readonly RedisCommand[],
): Promise<readonly RedisReply[]> {
  try {
    const pipeline = client.pipeline(commands.map((command) => [...command]));
    const replies = (await answered(pipeline.exec())) ?? [];
    return commands.map((_, index) => {
      const [error, result] = replies[index] ?? [new Error('The pipeline was aborted.'), undefined];
      return error ? { error: plainError(error) } : { ok: result };
    });
  } catch (error) {
    return commands.map(() => ({ error: error as Error }));
  }
}
