import type { RunChunk } from './runs.js';

/**
 * Writes a chunk of a run as JSON, in which stores keep it: so a line break, a NUL or half a surrogate pair
 * does no harm anywhere. It is its data, or an array of its data, its type and 1 for the last one.
 */
export function runChunkText({ data, type, end }: RunChunk): string {
  return JSON.stringify(
    type === undefined && end !== true ? data : [data, type ?? null, end === true ? 1 : 0],
  );
}

/** @throws Error for text that `runChunkText()` has not written */
export function runChunkFrom(text: string): RunChunk {
  return chunkOf(JSON.parse(text));
}

/**
 * Reads chunks that were written one behind the other, with commas in between.
 * @throws Error for text that `runChunkText()` has not written
 */
export function runChunksFrom(texts: string): readonly RunChunk[] {
  return (JSON.parse(`[${texts}]`) as unknown[]).map(chunkOf);
}

function chunkOf(value: unknown): RunChunk {
  if (typeof value === 'string') {
    return { data: value };
  }
  const [data, type, end] = value as [string, string | null, number];
  return { data, type: type ?? undefined, end: end === 1 };
}
