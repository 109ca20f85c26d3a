import type { ScriptCall } from './redis-batch.js';
import type { CallMarker } from './call-markers.js';
import type { StreamLane } from './stream-lane.js';
import { APPEND } from './stream-scripts.js';

/**
 * One call of the script that appends: the batches of one or several lanes. It stays the same
 * however often it is sent, and its marker tells Redis that it has been made before.
 */
export class AppendCall {
  /** Whether a reply is awaited. */
  inFlight = false;
  /** Whether it was sent before, and nobody knows whether it has arrived. */
  isRepeated = false;

  constructor(
    readonly marker: CallMarker,
    readonly lanes: readonly StreamLane[],
  ) {}

  /** Whether somebody still waits for its outcome. */
  get isWanted(): boolean {
    return this.lanes.some((lane) => lane.isWanted);
  }

  /**
   * What is sent.
   * @param publishCommand the command that the server publishes with
   * @param limits those of the streams
   * @param once whether the client sends it only when it is told to
   */
  scriptCall(publishCommand: string, limits: readonly number[], once: boolean): ScriptCall {
    const kind = this.isRepeated || !once ? 'again' : 'first';
    const keys = [this.marker.key];
    const args: (string | number)[] = [this.marker.number, kind, publishCommand, ...limits];
    for (const { key, batch } of this.lanes) {
      keys.push(key);
      args.push(...batch!);
    }
    return { script: APPEND, keys, args };
  }
}
