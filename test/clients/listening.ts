/** An event as a client handed it to its listeners. */
export interface ReceivedEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

/** A client on one stream: what it received, and whether it goes on. */
export interface Listening {
  readonly events: readonly ReceivedEvent[];
  /** Whether it has given the stream up for good. */
  readonly hasEnded: boolean;
  close(): void;
}

/** A client of any kind, and what it does by itself. */
export interface Client {
  readonly name: string;
  listen(url: string): Listening;
  /** Whether it keeps the id of a frame without data. */
  readonly keepsIdOfFrames: boolean;
  /**
   * Whether it keeps an id when its line arrives, not when the event is complete. It loses an
   * event whose frame is cut right before the empty line at its end.
   */
  readonly keepsIdAtItsLine: boolean;
  /**
   * Whether it tells of `sse:open` with `opening: 'frame'` as well. Of clients that read by `fetch()` the
   * tests wait for that before they cut: `fetch()` gives away bytes that nobody has read when the
   * connection breaks.
   */
  readonly tellsOfOpening?: boolean;
  /** Whether it returns after an answer of 502. */
  readonly returnsAfter502: boolean;
  /** Whether it stops at the end of a run by itself. Others return, and are told by 204. */
  readonly stopsAtEnd?: boolean;
  /** Whether it returns after an answer of 204 as well, again and again. */
  readonly ignoresEnd?: boolean;
  /** What it does when it has to return with an id beyond latin1. */
  readonly withWideId: 'resumes' | 'never returns' | 'throws';
}

/** The types that tests listen for: an EventSource tells of a type only those who ask for it. */
export const TYPES = ['message', 'sse:open', 'sse:reset'] as const;

/** The data of the events without a type. */
export function messagesOf({ events }: Pick<Listening, 'events'>): string[] {
  return events.filter(({ type }) => type === 'message').map(({ data }) => data);
}
