import { parseCompositeId } from '../channel/composite-id.js';
import { EARLIEST } from '../channel/start-position.js';

/** Stands for a Last-Event-ID that cannot be a position. */
export const NO_POSITION = '\0';

/** No frame could have carried it. */
const NOT_A_POSITION = /[\r\n\0]/;

/**
 * What a client resumes each of its channels from, by what it gives as its Last-Event-ID. The set
 * of its channels may have changed meanwhile: a label that matches counts, whether or not ids
 * have labels now.
 *
 * @param labels the labels of the channels
 * @returns for each channel a position, or `undefined` when it is new to the client; nothing at
 * all when no channel can resume from it
 */
export function resumePositions(
  lastEventId: string,
  labels: readonly string[],
): readonly (string | undefined)[] | undefined {
  if (NOT_A_POSITION.test(lastEventId)) {
    return undefined;
  }
  const positions = lastEventId === EARLIEST ? undefined : parseCompositeId(lastEventId);
  if (positions && labels.some((label) => positions.has(label))) {
    return labels.map((label) => positions.get(label));
  }
  // It may be an id without labels. One that belongs to other channels altogether is refused by
  // each: a start in silence would hide that.
  return labels.map(() => lastEventId);
}
