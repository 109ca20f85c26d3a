import { isDataRefusal } from '../postgres/postgres-error.js';
import type { Topics } from './topics.js';

/** Runs a statement. */
type Run = (text: string, values: unknown[]) => Promise<unknown>;

/**
 * Asks for the topics of all open channels. A topic that the database's encoding cannot hold would
 * keep the others from being read, so it is left out from then on.
 */
export async function askForStorable<T>(
  topics: Topics,
  run: Run,
  ask: (listed: readonly string[] | undefined) => Promise<T>,
): Promise<T> {
  const { listed } = topics;
  try {
    return await ask(listed);
  } catch (error) {
    if (!listed || !isDataRefusal(error)) {
      throw error;
    }
    for (const topic of listed) {
      const refusal = await encodingRefusal(topic, run);
      if (refusal !== undefined) {
        topics.refuse(topic, refusal);
      }
    }
    const storable = listed.filter((topic) => !topics.isRefused(topic));
    if (storable.length === listed.length) {
      throw error;
    }
    return ask(storable);
  }
}

/** Whether the database can hold a topic. */
export async function isStorable(topic: string, run: Run): Promise<boolean> {
  return (await encodingRefusal(topic, run)) === undefined;
}

/** Why the database cannot hold a topic; `undefined` when it can. */
async function encodingRefusal(topic: string, run: Run): Promise<unknown> {
  try {
    await run('select $1::text is null', [topic]);
    return undefined;
  } catch (error) {
    if (!isDataRefusal(error)) {
      throw error;
    }
    return error;
  }
}
