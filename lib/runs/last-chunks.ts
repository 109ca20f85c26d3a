import type { RunChunk } from '../channel/runs.js';
import type { RunFailure, RunFormat } from './formats/run-format.js';

/** What readers hear of an error of the source, where the application does not say more. */
export const GENERAL_MESSAGE = 'This could not be finished.';

/** What readers hear of the shutdown of a run's instance. */
export const SHUTDOWN: RunFailure = { reason: 'shutdown', message: 'The server was restarted.' };

/** The last chunks of a run that ended in the middle, with a general message if its own is too large. */
export function failedChunks(
  format: RunFormat,
  failure: RunFailure,
  mostBytes: number,
): readonly RunChunk[] {
  const messages = [failure.message, GENERAL_MESSAGE, ''];
  return fitting(messages, (message) => format.failed({ ...failure, message }), mostBytes);
}

/** The last chunks of a run that somebody has stopped, without the reason if it is too large. */
export function stoppedChunks(
  format: RunFormat,
  reason: string | undefined,
  mostBytes: number,
): readonly RunChunk[] {
  return fitting([reason, undefined], (text) => format.stopped(text), mostBytes);
}

/** Readers receive no chunk that is too large: a run that was cut would look whole to them. */
function fitting<T>(
  texts: readonly T[],
  chunksOf: (text: T) => readonly RunChunk[],
  mostBytes: number,
): readonly RunChunk[] {
  const ends = texts.map(chunksOf);
  const fits = ({ data }: RunChunk) => Buffer.byteLength(data) <= mostBytes;
  return ends.find((chunks) => chunks.every(fits)) ?? ends.at(-1)!;
}
