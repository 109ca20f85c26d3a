import type { RunChunk } from './runs.js';
import type { HistoryEvent } from './source.js';

/** A chunk of a run as an event. It may have the reserved types that tell how a run has ended. */
export class RunEvent implements HistoryEvent {
  readonly data: string;
  readonly type: string | undefined;
  readonly end: boolean | undefined;

  constructor(
    readonly position: string,
    { data, type, end }: RunChunk,
  ) {
    this.data = data;
    this.type = type;
    this.end = end;
  }
}
