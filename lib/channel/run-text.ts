import type { RunChunk } from './runs.js';

/**
 * Writes a chunk of a run as JSON, in which stores keep it: so a line break, a NUL or half a surrogate pair
 * does no harm anywhere. It is its data, or an array of its data, its type, 1 for the last one, and its place
 * among the chunks of a call of `end()`.
 */
export function runChunkText({ data, type, end, ending }: RunChunk): string {
  if (type === undefined && end !== true && ending === undefined) {
    return JSON.stringify(data);
  }
  const fields = [data, type ?? null, end === true ? 1 : 0];
  return JSON.stringify(ending === undefined ? fields : [...fields, ending]);
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
  const [data, type, end, ending] = value as [string, string | null, number, number?];
  return { data, type: type ?? undefined, end: end === 1, ending };
}
