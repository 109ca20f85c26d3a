import type { EventLimits } from '../channel/event-check.js';
import type { RunChunk } from '../channel/runs.js';
import type { RunFormat } from './formats/run-format.js';

/** How a run goes. */
export interface RunTerms {
  readonly format: RunFormat;
  readonly limits: EventLimits;
  readonly duration: number;
  /** For how many bytes its chunks may count, as `countedBytes()` says. */
  readonly bytes: number;
  readonly errorMessage: ((error: unknown) => string) | undefined;
}

/**
 * What stands around the data and the type of a chunk in a stream: its id, and the names of the fields. Without it a
 * source of empty values would never come to the limit.
 */
const FRAME_BYTES = 48;

/** For how many bytes a chunk counts. */
export function countedBytes({ data, type = '' }: RunChunk): number {
  return FRAME_BYTES + type.length + Buffer.byteLength(data);
}
