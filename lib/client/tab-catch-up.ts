import type { TabLocks } from './tab-locks.js';
import type { TabPlaces } from './tab-places.js';
import type { Upstream, UpstreamSink, Wanted } from './upstream.js';

/** How long what the leader tells may bring a late channel to its place, without a connection: milliseconds. */
const GRACE_MS = 50;

/** After so many milliseconds without news the connection waits for the leader to tell something. */
const QUIET_MS = 10_000;

/**
 * A short connection of the tab's own, for channels in which the tab is behind the leader. Of all tabs
 * one has such a connection at a time, so that a browser never has more than two.
 */
export class TabCatchUp {
  private own: Upstream | undefined;
  private wanted: ReadonlySet<string> = new Set();
  private isAsking = false;
  private finish: (isQuiet?: boolean) => void = () => undefined;
  private quiet: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly locks: TabLocks,
    private readonly connect: (sink: UpstreamSink) => Upstream,
    private readonly places: TabPlaces,
  ) {}

  /** Looks at which channels are late. */
  look(): void {
    const late = this.places.late();
    if (late.length === 0) {
      this.finish();
    } else if (this.own) {
      // What has found its place since goes on coming, unread: to leave it out, the server would
      // have to be asked anew.
      if (late.some(({ name }) => !this.wanted.has(name))) this.want(late);
    } else if (!this.isAsking) {
      this.isAsking = true;
      let isQuiet = false;
      void this.locks
        .hold('/late', async () => {
          isQuiet = await this.read();
        })
        .then(() => {
          this.isAsking = false;
          if (!isQuiet && !this.locks.areReleased) this.look();
        });
    }
  }

  private want(late: readonly Wanted[]): void {
    this.wanted = new Set(late.map(({ name }) => name));
    this.own?.want(late);
  }

  /** Whether it has given up, for now. */
  private async read(): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    const late = this.places.late();
    if (late.length === 0 || this.locks.areReleased) return false;
    const { own } = this.places;
    const heard =
      <Args extends unknown[]>(tell: (...args: Args) => void) =>
      (...args: Args): void => {
        this.stayAwake();
        tell(...args);
        this.look();
      };
    const isQuiet = await new Promise<boolean>((resolve) => {
      this.finish = (quiet = false) => resolve(quiet);
      this.own = this.connect({
        opened: heard(own.opened),
        event: heard(own.event),
        reset: heard(own.reset),
        over: heard(own.over),
        status: own.status,
      });
      this.want(late);
      this.stayAwake();
    });
    this.close();
    return isQuiet;
  }

  close(): void {
    clearTimeout(this.quiet);
    this.own?.close();
    this.own = undefined;
    this.finish();
  }

  private stayAwake(): void {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.finish(true), QUIET_MS);
  }
}
