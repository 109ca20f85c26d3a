import type { SseClientError } from './client-error.js';
import { platform, whyNotShared } from './tab-platform.js';
import { TabPlaces } from './tab-places.js';
import { TabSession, type Sharing } from './tab-session.js';
import type { ClientStatus, Upstream, UpstreamSink, Wanted } from './upstream.js';

/** A page in the back-forward cache, or frozen, hears nothing: it leaves the others, and comes back. */
const LEAVING = ['pagehide', 'freeze'] as const;
const COMING = ['pageshow', 'resume'] as const;

/** What a {@link SharedUpstream} is made of. */
export interface SharedUpstreamOptions extends Sharing {
  /** Nothing can be shared here, and why. From now on the tab has a connection of its own. */
  readonly onFallback: (reason: string) => void;
}

/**
 * One connection for all tabs of a browser. Who holds the lock of the name leads: it connects, and
 * tells all tabs what the server says. Each tab knows by the events' positions what comes next. Where
 * the browser has no locks, or forbids them, each tab has a connection of its own.
 */
export class SharedUpstream implements Upstream {
  private readonly places: TabPlaces;
  /** Told what comes for this tab. */
  private readonly own: UpstreamSink;
  private wanted: readonly Wanted[] = [];
  private session: TabSession | undefined;
  /** The tab's own connection, where nothing can be shared. */
  private fallback: Upstream | undefined;
  private last: ClientStatus = 'closed';
  private isChanging = false;
  private isAway = false;
  private isClosed = false;

  constructor(
    private readonly sink: UpstreamSink,
    private readonly options: SharedUpstreamOptions,
  ) {
    this.own = {
      opened: (...args) => sink.opened(...args),
      event: (...args) => sink.event(...args),
      reset: (...args) => sink.reset(...args),
      over: (channel, ...how) => {
        // Who wants it again says so after this.
        this.wanted = this.wanted.filter(({ name }) => name !== channel);
        sink.over(channel, ...how);
        this.change();
      },
      status: (...args) => sink.status(...args),
    };
    this.places = new TabPlaces({ ...this.own, status: () => undefined }, () =>
      this.session?.onLate(),
    );
    for (const type of LEAVING) platform.addEventListener?.(type, this.leave, true);
    for (const type of COMING) platform.addEventListener?.(type, this.come, true);
  }

  want(channels: readonly Wanted[]): void {
    this.wanted = channels;
    this.change();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const type of LEAVING) platform.removeEventListener?.(type, this.leave, true);
    for (const type of COMING) platform.removeEventListener?.(type, this.come, true);
    this.fallback?.close();
    this.stop();
  }

  private readonly leave = (): void => {
    this.isAway = true;
    this.session?.leave();
    this.session = undefined;
  };

  private readonly come = (): void => {
    if (!this.isAway) return;
    this.isAway = false;
    this.change();
  };

  /** Does what is wanted at the end of the turn. */
  private change(): void {
    if (this.isChanging) return;
    this.isChanging = true;
    queueMicrotask(() => {
      this.isChanging = false;
      if (this.isClosed || this.isAway) return;
      if (this.fallback) {
        this.fallback.want(this.wanted);
        return;
      }
      this.places.want(this.wanted);
      if (this.places.areOver) this.stop();
      else if (this.session) this.session.ask();
      else this.start();
    });
  }

  private start(): void {
    const impossible = whyNotShared();
    if (impossible !== undefined) {
      this.fallBack(impossible);
      return;
    }
    const session = new TabSession(this.places, this.status, this.options);
    this.session = session;
    session.start().catch((error: unknown) => {
      if (this.session === session) this.fallBack(`the browser forbids it: ${String(error)}`);
    });
  }

  private fallBack(reason: string): void {
    this.session?.leave();
    this.session = undefined;
    this.fallback = this.options.connect(this.own);
    this.fallback.want(this.places.late(true));
    this.options.onFallback(reason);
  }

  private stop(): void {
    this.session?.leave();
    this.session = undefined;
    if (this.last !== 'closed') this.status('closed');
  }

  private readonly status = (status: ClientStatus, error?: SseClientError): void => {
    this.last = status;
    this.sink.status(status, error);
  };
}
