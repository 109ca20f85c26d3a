import type { Channel } from '../channel/channel.js';
import { monotonicNow } from '../channel/clock.js';
import { Cursor } from '../channel/cursor.js';
import type { CursorState } from '../channel/cursor-state.js';
import { LogEntry } from '../channel/log-entry.js';
import { RESET_TYPE } from '../channel/reset-event.js';

/** The `type` of the event that brings the state of a channel. */
export const SNAPSHOT_TYPE = 'sse:snapshot';

/** The `data` of a `sse:snapshot` event. The events after it go on from this state. */
export interface SseSnapshot<State = unknown> {
  /** The channel whose state this is. */
  readonly channel: string;
  /** What the endpoint's `snapshot` has returned. */
  readonly state: State;
}

/** Takes the states of channels for one client. */
export interface Snapshots {
  /** Whether a channel has a state. */
  has(channel: string): boolean;
  /**
   * Takes a channel's state, and returns it as the data of an event.
   * @param begin called just before the state is read
   * @param signal aborts when the client needs it no more
   */
  take(channel: string, begin: () => void, signal: AbortSignal): Promise<string>;
  /** Ends the client's stream: it cannot go on without the state of this channel. */
  fail(channel: string, error: unknown): void;
}

/** How often in a row the log may drop what a state lacks, before the client is sent away. */
const MOST_OVERTAKEN = 3;

/**
 * A cursor that gives the client the channel's state wherever the client would otherwise start from
 * nothing: when it comes without a position, and after each reset. It stands still from before the
 * state is read until the client has it, so that no event falls between.
 *
 * Until then the client has no position in this channel. If it breaks off and returns, it receives
 * the state, or first the reset again.
 */
export class SnapshotCursor extends Cursor {
  /** Whether the client receives the state before anything else. */
  private isDue = false;
  /** The call under way; after a failure the last one, as no other follows. */
  private taking: AbortController | undefined;
  /** The state, until the client receives it. */
  private snapshot: LogEntry | undefined;
  /** The position that the state is read after. */
  private place: string | undefined;
  /** How often in a row the log has dropped events that a state lacked. */
  private overtaken = 0;

  constructor(
    channel: Channel,
    owner: { pull(): void },
    private readonly snapshots: Snapshots,
  ) {
    super(channel, owner);
  }

  /** The state takes the place of the source's current event, which it contains. */
  override startLive(): void {
    this.isDue = true;
    this.place = this.position;
    // History that is being read completes a position that is `undefined`.
    this.position = '';
  }

  override get isInLog(): boolean {
    return !this.isDue && !this.isResetAhead && super.isInLog;
  }

  override next(): CursorState {
    if (!this.isDue) {
      const state = super.next();
      // A reset must not reach the client in a block, with an id.
      return state === 'log' && this.isResetAhead ? 'page' : state;
    }
    if (this.snapshot) {
      if (!this.isOvertaken) {
        return 'page';
      }
      this.snapshot = undefined;
      this.overtaken++;
    }
    if (!this.taking && this.skipHistory()) {
      void this.takeState();
    }
    return 'loading';
  }

  override moveTo(seq: number, position: string): void {
    this.overtaken = 0;
    super.moveTo(seq, position);
  }

  override peek(): LogEntry {
    return this.snapshot ?? super.peek();
  }

  override take(): LogEntry {
    const { snapshot } = this;
    if (snapshot) {
      this.snapshot = undefined;
      this.isDue = false;
      this.position = this.place;
      return snapshot;
    }
    const isLost = this.resetReason !== undefined;
    const entry = super.take();
    if (entry.type !== RESET_TYPE) {
      this.overtaken = 0;
      return entry;
    }
    if (isLost) {
      this.overtaken++;
    }
    this.startLive();
    const { type, data, time } = entry;
    return new LogEntry(0, '', { type, data }, time);
  }

  override close(): void {
    super.close();
    this.taking?.abort();
  }

  private get isResetAhead(): boolean {
    return this.channel.lastReset > this.seq;
  }

  /** Whether events that the state may lack can no longer be read. */
  private get isOvertaken(): boolean {
    const { log, history } = this.channel;
    return this.seq < log.first - 1 && !(history && this.place !== undefined);
  }

  private async takeState(): Promise<void> {
    const { channel, snapshots } = this;
    const { signal } = (this.taking = new AbortController());
    try {
      // Not within the pull: other readers wait for its end.
      await Promise.resolve();
      const data = await snapshots.take(channel.name, () => this.begin(), signal);
      if (signal.aborted) {
        return;
      }
      const event = { type: SNAPSHOT_TYPE, data };
      this.snapshot = new LogEntry(0, this.place ?? '', event, monotonicNow());
      this.taking = undefined;
      this.owner.pull();
    } catch (error) {
      if (!signal.aborted) {
        snapshots.fail(channel.name, error);
      }
    }
  }

  /** Finds the place that the state is read after. */
  private begin(): void {
    if (this.overtaken > MOST_OVERTAKEN) {
      throw new Error(
        `each of its last ${this.overtaken} states came too late: the events after it were no longer retained. ` +
          'Make it faster, or raise `retain`.',
      );
    }
    if (!this.isInHistory) {
      this.moveOn();
    }
  }

  private get isInHistory(): boolean {
    return this.history !== undefined || this.joining !== undefined;
  }

  /**
   * Leaves out what history gives after a reset, as the state will contain it, but for the end of a
   * run. Returns false while more history is being read.
   */
  private skipHistory(): boolean {
    if (!this.isInHistory && this.resetReason === undefined) {
      return true;
    }
    this.position = this.place;
    let state = super.next();
    while (state === 'page' && !super.peek().end) {
      super.take();
      state = super.next();
    }
    if (state === 'reset') {
      // The client has been told, or had nothing yet.
      this.skipToHead();
    }
    this.place = this.position;
    this.position = '';
    return state !== 'loading';
  }

  /** Moves to the head, but not past the end of a run, which the client must receive. */
  private moveOn(): void {
    const { log } = this.channel;
    const from = Math.max(this.seq, log.first - 1);
    let end = log.head;
    while (end > from && !log.at(end).end) {
      end--;
    }
    this.seq = end > from ? end - 1 : log.head;
    this.place = log.startingPosition(this.seq);
  }
}
