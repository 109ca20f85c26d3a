import { TabCatchUp } from './tab-catch-up.js';
import { TabLeader } from './tab-leader.js';
import { TabLocks } from './tab-locks.js';
import {
  unpacked,
  type Stands,
  type TabMessage,
  type TabStatus,
  type Told,
} from './tab-messages.js';
import { platform, type TabLine } from './tab-platform.js';
import type { TabPlaces } from './tab-places.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/**
 * How often a tab looks whether the leader has told anything, in milliseconds: just under the second
 * in which a browser lets tabs in the background work once.
 */
const LOOK_MS = 950;
/** At so many looks in silence the tab asks for an answer. Of several tabs one does, which all hear. */
const SILENT_LOOKS = 2;
/** At so many it leads, after 5 to 6 s. Time says less: a computer may have slept. */
const LOST_LOOKS = 6;

/** What tabs share, and how. */
export interface Sharing {
  /** Tabs with the same name share: it tells apart servers, users, and versions of what tabs say. */
  readonly name: string;
  /** Makes a connection of this tab's own. */
  readonly connect: (sink: UpstreamSink) => Upstream;
}

/** One stay of a tab among those that share a connection: from its coming to its leaving. */
export class TabSession {
  private readonly id = Math.random().toString(36).slice(2);
  /** The tab's own lock, by which others know that it lives, and that of its catching up. */
  private readonly here: TabLocks;
  /** The lock of the leader, and what it waits for as such. */
  private throne: TabLocks;
  private readonly catchUp: TabCatchUp;
  private channel: TabLine | undefined;
  private leader: TabLeader | undefined;
  /** The term of the leader that this tab follows, and the number of its last {@link Told}. */
  private term = 0;
  private n = NaN;
  private silence = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private isAsking = false;
  private isOver = false;
  private told: TabStatus = ['connecting'];

  constructor(
    private readonly places: TabPlaces,
    private readonly onStatus: UpstreamSink['status'],
    private readonly sharing: Sharing,
  ) {
    this.here = new TabLocks(sharing.name);
    this.throne = new TabLocks(sharing.name);
    this.catchUp = new TabCatchUp(this.here, sharing.connect, places);
  }

  /** @throws what the browser says where it forbids locks or channels between tabs */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.here.hold(`/tab/${this.id}`, resolve).then(resolve, reject);
    });
    if (this.isOver) return;
    this.channel = new platform.BroadcastChannel!(this.sharing.name);
    this.channel.addEventListener('message', ({ data }) => this.hear(data as TabMessage));
    // No two tabs look in one moment.
    this.timer = setInterval(() => this.look(), LOOK_MS * (1 + Math.random() / 20));
    this.onStatus('connecting');
    this.ask();
    this.candidate();
  }

  /** Tells what this tab wants, and so asks where the leader stands in it. */
  ask(): void {
    if (this.isAsking || !this.channel) return;
    this.isAsking = true;
    queueMicrotask(() => {
      this.isAsking = false;
      this.post({ tab: this.id, seen: this.term, list: this.places.list() });
    });
  }

  /** Some channels are late. */
  onLate(): void {
    this.catchUp.look();
  }

  leave(): void {
    if (this.isOver) return;
    this.resign();
    this.isOver = true;
    clearInterval(this.timer);
    this.here.release();
    this.catchUp.close();
    this.channel?.close();
    this.places.lose();
  }

  private post(message: TabMessage): void {
    if (this.isOver) return;
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- It is no window.
    this.channel!.postMessage(message);
    // A tab does not hear itself.
    this.hear(message);
  }

  private candidate(isStolen = false): void {
    const locks = (this.throne = new TabLocks(this.sharing.name));
    const lead = (): void => {
      const term = Math.max(Date.now(), this.term + 1) + Math.random();
      this.leader = new TabLeader(term, this.sharing.connect, {
        post: (message) => this.post(message),
        tabs: () => this.here.held('/tab/'),
        onGone: (tab, gone) => void locks.hold(`/tab/${tab}`, async () => gone()),
      });
    };
    void locks.hold('', lead, isStolen).then(() => {
      // It has been taken away, or this tab has heard of the next leader.
      if (this.throne !== locks || this.isOver) return;
      this.resign();
      this.candidate();
    });
  }

  private resign(): void {
    this.leader?.close();
    this.leader = undefined;
    this.throne.release();
  }

  private hear(message: TabMessage): void {
    if (this.isOver) return;
    if ('tab' in message) {
      this.leader?.hear(message);
      return;
    }
    const { term } = message;
    if (term < this.term) {
      // From who does not know yet that another leads, or led.
      if ('places' in message) this.ask();
      return;
    }
    this.silence = 0;
    if (term > this.term) {
      if (this.leader && this.leader.term !== term) this.resign();
      this.lose();
      this.term = term;
    }
    if ('places' in message) this.stand(message);
    else this.take(message);
  }

  private stand({ n, status, places }: Stands): void {
    this.n = n;
    if (status[0] !== this.told[0]) this.tell(status);
    for (const place of places) if (!this.isOver) this.places.meet(place);
  }

  private take({ n, calls }: Told): void {
    if (n !== this.n + 1) {
      if (!Number.isNaN(this.n)) this.lose();
      return;
    }
    this.n = n;
    for (const call of calls) {
      if (this.isOver) return;
      if (call[0] === 'status') this.tell(call.slice(1) as unknown as TabStatus);
      else this.places.take(call);
    }
  }

  private lose(): void {
    this.n = NaN;
    this.places.lose();
    this.ask();
  }

  private tell(status: TabStatus): void {
    this.told = status;
    const [now, ...error] = status;
    this.onStatus(now, unpacked(error));
  }

  private look(): void {
    if (this.leader) return;
    this.silence++;
    if (Number.isNaN(this.n) || this.places.areWaiting) this.ask();
    else if (this.silence === SILENT_LOOKS) this.post({ tab: this.id, seen: this.term });
    if (this.silence === LOST_LOOKS) {
      this.resign();
      this.silence = 0;
      this.candidate(true);
    }
  }
}
