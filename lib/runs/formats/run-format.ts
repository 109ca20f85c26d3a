import type { RunChunk } from '../../channel/runs.js';
import type { Serialize } from '../../channel/value-text.js';
import type { Dialect } from '../../delivery/dialect.js';

/** What bytes of a source are: pieces of text, a value of JSON on each line, or frames of Server-Sent Events. */
export type BytesAs = 'text' | 'lines' | 'frames';

/** Why a run ended in the middle. */
export interface RunFailure {
  /**
   * - `error`: its source failed
   * - `lost`: its instance died, or could not store chunks for longer than the lease
   * - `limit`: it went on for too long, or emitted too much
   * - `shutdown`: its instance was shut down
   */
  readonly reason: 'error' | 'lost' | 'limit' | 'shutdown';
  /** A text that clients may see. */
  readonly message: string;
}

/**
 * How the values of a run's source become chunks, and how its readers hear of the end. Any instance may
 * have to end a run that another began, so a format is known by its name, and keeps nothing of one run.
 */
export interface RunFormat {
  /** What bytes of a source are. Default: text, in pieces. */
  readonly bytesAs?: BytesAs | undefined;
  /** How streams of such a run differ from those of channels. Default: not at all. */
  readonly dialect?: Dialect | undefined;
  /**
   * The chunks of a value; none for a value that clients need not hear of.
   * @throws SseError `INVALID_EVENT` for a value that cannot be sent
   */
  chunks(value: unknown): readonly RunChunk[];
  /** The last chunks of a run whose source has ended. The last one has `end`; so have those below. */
  completed(): readonly RunChunk[];
  /** The last chunks of a run that somebody has stopped. */
  stopped(reason: string | undefined): readonly RunChunk[];
  /** The last chunks of a run that ended in the middle. */
  failed(failure: RunFailure): readonly RunChunk[];
}

/** The module's options that formats use. */
export interface RunFormatOptions {
  /** Turns data other than strings into text. Default: as JSON. */
  readonly serialize?: Serialize | undefined;
  /** The data of a run's end. `false` or empty: `[DONE]`. */
  readonly doneSignal?: string | false | undefined;
}
