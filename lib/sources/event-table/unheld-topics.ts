import { isDataRefusal } from '../postgres/postgres-error.js';
import type { Topics } from './topics.js';

/** Runs a statement. */
type Run = (text: string, values: unknown[]) => Promise<unknown>;

/**
 * Asks for the topics of all open channels. A topic that the database's encoding cannot hold would
 * keep the others from being read, so it is left out from then on.
 */
export async function askForHeld<T>(
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
    await refuseUnheld(listed, run, (topic, reason) => topics.refuse(topic, reason));
    return ask(listed.filter((topic) => !topics.isRefused(topic)));
  }
}

/** Whether the database can hold a topic. */
export async function isHeld(topic: string, run: Run): Promise<boolean> {
  let held = true;
  await refuseUnheld([topic], run, () => (held = false));
  return held;
}

async function refuseUnheld(
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
    await refuseUnheld(topics.slice(0, half), run, refuse);
    await refuseUnheld(topics.slice(half), run, refuse);
  }
}
