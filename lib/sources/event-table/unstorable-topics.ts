import { isDataRefusal } from '../postgres/postgres-error.js';
import type { Topics } from './topics.js';

type Run = (text: string, values: unknown[]) => Promise<unknown>;

/**
 * Asks for the topics of all open channels. A topic that the database's encoding cannot hold would
 * stop the others, so it is left out from then on.
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
    await refuseUnstorable(listed, run, (topic, reason) => topics.refuse(topic, reason));
    const storable = listed.filter((topic) => !topics.isRefused(topic));
    if (storable.length === listed.length) {
      throw error;
    }
    return ask(storable);
  }
}

export async function isStorable(topic: string, run: Run): Promise<boolean> {
  let storable = true;
  await refuseUnstorable([topic], run, () => (storable = false));
  return storable;
}

async function refuseUnstorable(
  topics: readonly string[],
  run: Run,
  refuse: (topic: string, reason: unknown) => void,
): Promise<void> {
  try {
    await run('select $1::text[] is null', [topics]);
  } catch (error) {
    if (!isDataRefusal(error)) {
      throw error;
    }
    if (topics.length === 1) {
      refuse(topics[0]!, error);
      return;
    }
    const half = topics.length >> 1;
    await refuseUnstorable(topics.slice(0, half), run, refuse);
    await refuseUnstorable(topics.slice(half), run, refuse);
  }
}
