/** Reads a channel from its own cursor each time the channel has new events. */
export interface Reader {
  /** Reads from the cursor towards the head for as long as the client takes more. */
  pull(): void;
}

/** A reader's place in the log. */
export interface Place {
  /** The number of the last event read. */
  readonly seq: number;
}

/** The number of the last event that all readers have read, up to the log's head. */
export function slowestOf(places: ReadonlySet<Place>, head: number): number {
  let slowest = head;
  for (const { seq } of places) {
    slowest = Math.min(slowest, seq);
  }
  return slowest;
}
