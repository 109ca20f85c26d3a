import type { SseLogger } from './source.js';

/** How long names are gathered, from the first one on, in milliseconds. */
const WINDOW_MS = 1_000;
/** How many names a line tells. */
const MOST_NAMED = 3;

/** What has happened to a channel, a key or the like, and may happen to many at once. */
export interface Happening {
  readonly level: keyof SseLogger;
  /** The line when it happens to nothing else. */
  readonly line: string;
  /** Tells happenings of one level apart, such as the reason in the line. Names of one cause share a line. */
  readonly cause: string;
  /** The line for several. `names` is such as `a, b, c and 197 more`. */
  several(count: number, names: string): string;
}

/**
 * A log for what one cause does to many channels or keys: it waits a second for further names, and writes
 * one line that counts them and names the first.
 */
export class GatheredLog {
  /** By level and cause, in the order in which they began. */
  private readonly groups = new Map<string, { first: Happening; names: string[] }>();
  /** Of each name that waits, the group. */
  private readonly groupOf = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(private readonly to: SseLogger) {}

  /** Notes what has happened to a name. A second time within the second adds nothing. */
  note(name: string, happening: Happening): void {
    if (this.isStopped) {
      this.to[happening.level](happening.line);
      return;
    }
    const what = `${happening.level} ${happening.cause}`;
    const before = this.groupOf.get(name);
    if (before === what) {
      return;
    }
    if (before !== undefined) {
      // The lines about one name keep their order.
      this.write();
    }
    this.groupOf.set(name, what);
    const group = this.groups.get(what);
    if (group) {
      group.names.push(name);
    } else {
      this.groups.set(what, { first: happening, names: [name] });
      this.timer ??= setTimeout(() => this.write(), WINDOW_MS).unref();
    }
  }

  /** Writes what waits. What is noted from here on is written at once. */
  stop(): void {
    this.isStopped = true;
    this.write();
  }

  private write(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const groups = [...this.groups.values()];
    this.groups.clear();
    this.groupOf.clear();
    for (const { first, names } of groups) {
      const { length } = names;
      this.to[first.level](length === 1 ? first.line : first.several(length, listOf(names)));
    }
  }
}

function listOf(names: readonly string[]): string {
  const named = names.slice(0, MOST_NAMED);
  const last = names.length > MOST_NAMED ? `${names.length - MOST_NAMED} more` : named.pop()!;
  return `${named.join(', ')} and ${last}`;
}
