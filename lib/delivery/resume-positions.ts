import { parseCompositeId } from '../channel/composite-id.js';

/** Stands for a Last-Event-ID that cannot be a position. */
export const NO_POSITION = '\0';

/** The event id of a client without a position in any channel of its set: it starts live in all. */
export const NO_CHANNELS = 'sse:none';

/** No frame can carry an id with one of these. */
const NOT_A_POSITION = /[\r\n\0]/;

/** Whether a text may be the position in one channel. */
export function mayBePosition(text: string): boolean {
  return text !== '' && !NOT_A_POSITION.test(text) && !text.includes(',');
}

/**
 * The positions from which a client resumes its channels, by its Last-Event-ID. Its set of channels
 * may have changed meanwhile: a label that matches counts, even if ids have no labels now.
 *
 * @param labels the labels of the channels
 * @param isChanging whether the set changes while the stream is open, so that a client often returns to
 * other channels than it has left: these start live
 * @returns for each channel a position, or `undefined` when the channel is new to the client;
 * nothing
 * at all when the id cannot be a position
 */
export function resumePositions(
  lastEventId: string,
  labels: readonly string[],
  isChanging = false,
): readonly (string | undefined)[] | undefined {
  if (NOT_A_POSITION.test(lastEventId)) {
    return undefined;
  }
  if (lastEventId === NO_CHANNELS) {
    return labels.map(() => undefined);
  }
  const positions = parseCompositeId(lastEventId);
  if (positions && (isChanging || labels.some((label) => positions.has(label)))) {
    return labels.map((label) => positions.get(label));
  }
  // It may be an id without labels, or the wish for the oldest event. If it belongs to other channels,
  // each channel answers it with a reset: a silent start would hide the gap.
  return labels.map(() => lastEventId);
}
