import { expect } from '@jest/globals';
import type { ModelSource, Place } from './model-source.js';

/** What all clients of all schedules have seen. */
export interface Sightings {
  events: number;
  resets: Record<string, number>;
  lost: number;
  repeated: number;
}

export const noSightings = (): Sightings => ({ events: 0, resets: {}, lost: 0, repeated: 0 });

/** Knows what a client has to be shown next, and counts what it is shown in place of that. */
export class Witness {
  /** Behind which event the client stands; unknown after a reset without a position. */
  place: Place | undefined;

  constructor(
    private readonly source: ModelSource,
    private readonly seen: Sightings,
    place: Place | undefined,
  ) {
    this.place = place;
  }

  /** The client is shown an event, or a reset in the place of one. */
  event(place: Place): void {
    this.seen.events++;
    const { place: before } = this;
    if (before && before.generation === place.generation) {
      const step = place.number - before.number;
      this.seen.lost += Math.max(0, step - 1);
      this.seen.repeated += step < 1 ? 1 : 0;
    } else if (before) {
      // Of another history, without a word.
      this.seen.lost++;
    }
    this.place = place;
  }

  /** The client is told that events may be missing, and where it goes on. */
  reset(reason: string, id: string | undefined): void {
    this.seen.resets[reason] = (this.seen.resets[reason] ?? 0) + 1;
    const place = id === undefined ? undefined : this.source.placeOf(id);
    if (reason === 'skipped-event' && place) {
      this.event(place);
      return;
    }
    const { place: before } = this;
    // After a failover nobody knows what stands where.
    if (reason !== 'failover' && before && place && before.generation === place.generation) {
      // It may pass events over, but shows none again.
      this.seen.repeated += place.number < before.number ? 1 : 0;
    }
    this.place = place;
  }

  /** Everything was shown that there was to show. */
  expectAtEnd(): void {
    if (this.place) {
      expect(this.place).toEqual(this.source.head);
    }
  }
}

/** Nothing was lost, shown twice or out of order, in whatever was seen. */
export function expectNothingWrong({ lost, repeated }: Sightings): void {
  expect({ lost, repeated }).toEqual({ lost: 0, repeated: 0 });
}
