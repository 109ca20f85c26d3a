import type { SseClientError } from './client-error.js';
import {
  packed,
  type Asks,
  type TabCall,
  type TabMessage,
  type TabStatus,
  type TabWant,
} from './tab-messages.js';
import type { ClientStatus, Ending, Upstream, UpstreamEvent, UpstreamSink } from './upstream.js';

/** How long a new leader waits for the wishes of tabs that do not answer, in milliseconds. */
const GATHER_MS = 100;

/** How long a channel that is over is not asked for anew: the upstream is to see that it was unwanted. */
const REST_MS = 50;

/** Where the leader stands in a channel. */
interface Followed {
  /** Where it begins, or goes on after the connection was lost. */
  position: string | undefined;
  isOpen: boolean;
  hasState: boolean;
}

/** What a leader needs of its tab. */
export interface LeaderTab {
  /** Tells all tabs, this one too. */
  post(message: TabMessage): void;
  /** The ids of the tabs that live. */
  tabs(): Promise<string[]>;
  /** Calls back when a tab has gone, in whatever way. */
  onGone(tab: string, gone: () => void): void;
}

/** Holds the one connection, for all channels that any tab wants, and tells all tabs what it brings. */
export class TabLeader implements UpstreamSink {
  private readonly upstream: Upstream;
  private readonly wishes = new Map<string, readonly TabWant[] | undefined>();
  private readonly channels = new Map<string, Followed>();
  private readonly resting = new Set<string>();
  private stands: TabStatus = ['connecting'];
  private calls: TabCall[] = [];
  private n = 0;
  private isReady = false;
  private isClosed = false;

  constructor(
    public term: number,
    connect: (sink: UpstreamSink) => Upstream,
    private readonly tab: LeaderTab,
  ) {
    this.upstream = connect(this);
    void this.gather();
  }

  hear({ tab, seen, list }: Asks): void {
    if (!list) {
      this.flush(true);
      return;
    }
    this.flush();
    // The system's time was set back: the tabs would take this leader for one of the past.
    if (seen > this.term) this.term = seen + 1;
    this.know(tab);
    this.wishes.set(tab, list);
    this.update();
    this.tellPlaces(list);
  }

  close(): void {
    this.flush();
    this.isClosed = true;
    this.upstream.close();
  }

  opened(name: string, position: string | undefined): void {
    const channel = this.channels.get(name);
    if (!channel) return;
    const asked = channel.position;
    channel.isOpen = true;
    channel.position = position ?? asked;
    this.call(['opened', name, position, asked]);
  }

  event(name: string, event: UpstreamEvent): void {
    const channel = this.channels.get(name);
    if (!channel) return;
    channel.position = event.position ?? channel.position;
    channel.hasState ||= event.type.startsWith('sse:');
    this.call(['event', name, event]);
  }

  reset(name: string, reason: string, position: string | undefined): void {
    const channel = this.channels.get(name);
    if (!channel) return;
    channel.position = position;
    this.call(['reset', name, reason, position]);
  }

  status(status: ClientStatus, error?: SseClientError): void {
    this.stands = [status, ...packed(error)];
    this.call(['status', ...this.stands]);
  }

  over(name: string, how: Ending, error?: SseClientError): void {
    const channel = this.channels.get(name);
    if (!channel) return;
    this.call(['over', name, how, channel.position, ...packed(error)]);
    // Who has waited for it hears that it is over. Who wants it later asks the server anew.
    for (const [tab, list] of this.wishes) {
      this.wishes.set(
        tab,
        list?.filter(([each]) => each !== name),
      );
    }
    this.resting.add(name);
    setTimeout(() => {
      this.resting.delete(name);
      this.update();
    }, REST_MS);
    this.update();
  }

  /** Asks all tabs what they want, so that the first connection brings it all. */
  private async gather(): Promise<void> {
    setTimeout(() => this.begin(), GATHER_MS);
    const tabs = await this.tab.tabs();
    if (this.isClosed) return;
    tabs.forEach((tab) => this.know(tab));
    this.tellPlaces([]);
    this.update();
  }

  private begin(): void {
    this.isReady = true;
    this.update();
  }

  private know(tab: string): void {
    if (this.wishes.has(tab)) return;
    this.wishes.set(tab, undefined);
    this.tab.onGone(tab, () => {
      this.wishes.delete(tab);
      this.update();
    });
  }

  private update(): void {
    if (this.isClosed) return;
    const lists = [...this.wishes.values()];
    if (!this.isReady && lists.includes(undefined)) return;
    this.isReady = true;
    const wanted = new Map<string, TabWant>();
    for (const want of lists.flatMap((list) => list ?? [])) {
      const [name] = want;
      if (rank(want) > rank(wanted.get(name)) && !this.resting.has(name)) wanted.set(name, want);
    }
    let hasChanged = false;
    for (const name of this.channels.keys()) {
      if (!wanted.has(name)) hasChanged = this.channels.delete(name);
    }
    for (const [name, position] of wanted.values()) {
      if (this.channels.has(name)) continue;
      this.channels.set(name, { position, isOpen: false, hasState: false });
      hasChanged = true;
    }
    if (!hasChanged) return;
    this.upstream.want(
      [...this.channels].map(([name, { position }]) => (position ? { name, position } : { name })),
    );
  }

  private tellPlaces(list: readonly TabWant[]): void {
    this.flush();
    const places = list.flatMap(([name]) => {
      const channel = this.channels.get(name);
      return channel?.isOpen ? [[name, channel.position, channel.hasState] as const] : [];
    });
    const { term, n, stands: status } = this;
    this.tab.post({ term, n, status, places });
  }

  private call(call: TabCall): void {
    if (this.calls.push(call) === 1) queueMicrotask(() => this.flush());
  }

  /** @param isAnswer there is something to tell even when nothing has happened: that this tab leads */
  private flush(isAnswer = false): void {
    const { calls, term } = this;
    if (this.isClosed || (!isAnswer && calls.length === 0)) return;
    this.calls = [];
    this.tab.post({ term, n: ++this.n, calls });
  }
}

/** Of several tabs, the channel begins where the first stands that has read it without a gap. */
function rank(want?: TabWant): number {
  if (!want) return 0;
  return want[2] ? 1 : want[1] ? 3 : 2;
}
