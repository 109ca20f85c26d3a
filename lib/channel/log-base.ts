import type { LogEntry } from './log-entry.js';
import { plainPosition } from './start-position.js';

/** What is remembered of the event before the oldest retained one: clients return there as well. */
export class LogBase {
  /** `undefined` while the source has not told where it is. */
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

  /** The source tells where it begins, and nothing else of what is there. */
  startAfter(position: string): void {
    this.position = this.resumeAt = position;
    this.id = undefined;
    this.end = undefined;
  }

  /** This entry is the newest one that is not retained. */
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
