import type { LogEntry } from './log-entry.js';
import { plainPosition } from './start-position.js';

/** The last event before a log's window, of which the log keeps the place: clients return to it as well. */
export class LogBase {
  /** The position of that event; `undefined` until the source tells it. */
  position: string | undefined;
  /** The position of a client that has received the event. */
  resumeAt: string | undefined;
  /** Whether the event ended its run; `undefined` when only the source's history knows. */
  end: boolean | undefined = false;
  /** The publisher's own id of the event. */
  private id: string | undefined;

  constructor(position: string) {
    this.position = this.resumeAt = position;
  }

  /** Starts after a position of the source's, and forgets the event that was here. */
  startAfter(position: string): void {
    this.position = this.resumeAt = position;
    this.id = undefined;
    this.end = undefined;
  }

  /** Moves to an entry that has just left the window. */
  moveTo(entry: LogEntry): void {
    this.position = entry.position;
    this.resumeAt = entry.resumeAt;
    this.id = entry.id;
    this.end = entry.end;
  }

  /** Whether a client that returns with this id stands here. */
  isAt(id: string): boolean {
    return id === this.resumeAt || plainPosition(id) === this.resumeAt || id === this.id;
  }
}
