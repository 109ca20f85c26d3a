import type { ScriptCall } from './redis-batch.js';
import type { CallKind } from './call-kind.js';
import type { CallMarker } from './call-markers.js';
import type { StreamLane } from './stream-lane.js';

/**
 * One call of the script: the batches of one or several lanes. It stays the same
 * however often it is sent, and its marker tells Redis that it has been made before.
 */
export class AppendCall {
  /** Whether a reply is awaited. */
  inFlight = false;
  /** Whether it was sent before, and nobody knows whether it has arrived. */
  isRepeated = false;

  constructor(
    private readonly kind: CallKind,
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
   */
  scriptCall(publishCommand: string): ScriptCall {
    const { marker, kind } = this;
    const keys = [marker.key];
    const args = [marker.number, publishCommand, ...kind.args(this.lanes[0]!)];
    for (const lane of this.lanes) {
      keys.push(...lane.keys);
      args.push(...lane.batch!);
    }
    return { script: kind.script, keys, args };
  }
}
