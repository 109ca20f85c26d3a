import {
  isSamePlace,
  packed,
  unpacked,
  type TabCall,
  type TabPlace,
  type TabWant,
} from './tab-messages.js';
import type { UpstreamSink, Wanted } from './upstream.js';

/** How many calls of a channel are kept while a tab catches up with them. */
const KEPT_CALLS = 1_000;

/** A channel of this tab. */
interface Place {
  /** After which event the tab is to go on. */
  position: string | undefined;
  /**
   * - `waiting`: for the leader to say where it stands.
   * - `joined`: what the leader tells comes next.
   * - `late`: a connection of the tab's own reads until it meets what the leader has told.
   * - `over`: denied, or ended.
   */
  state: 'waiting' | 'joined' | 'late' | 'over';
  hasState: boolean;
  /** While late: what the leader has told, each with its position. */
  kept: (readonly [position: string | undefined, call?: TabCall])[];
}

/** The channels that a tab wants, and which event comes next in each: none is told twice, none is left out. */
export class TabPlaces {
  private readonly places = new Map<string, Place>();

  constructor(
    private readonly sink: UpstreamSink,
    /** A channel is late, and something has happened to it. */
    private readonly onLate: () => void,
  ) {}

  /** Whether there is nothing to wait for. */
  get areOver(): boolean {
    return [...this.places.values()].every(({ state }) => state === 'over');
  }

  /** Whether the leader is to say something still. */
  get areWaiting(): boolean {
    return [...this.places.values()].some(({ state }) => state === 'waiting');
  }

  want(channels: readonly Wanted[]): void {
    const names = new Set(channels.map(({ name }) => name));
    for (const name of this.places.keys()) if (!names.has(name)) this.places.delete(name);
    for (const { name, position } of channels) {
      // What is over is wanted anew.
      if ((this.places.get(name)?.state ?? 'over') !== 'over') continue;
      this.places.set(name, { position, state: 'waiting', hasState: false, kept: [] });
    }
  }

  list(): TabWant[] {
    return [...this.places]
      .filter(([, { state }]) => state !== 'over')
      .map(([name, { position, state }]) => [
        name,
        position,
        state === 'late' || position === 'earliest',
      ]);
  }

  /** The channels that need a connection of the tab's own, and from where. */
  late(all = false): Wanted[] {
    return [...this.places]
      .filter(([, { state }]) => state === 'late' || (all && state !== 'over'))
      .map(([name, { position }]) => (position ? { name, position } : { name }));
  }

  /** What the leader tells next is not what comes next here. */
  lose(): void {
    for (const place of this.places.values()) {
      place.kept = [];
      if (place.state === 'joined') place.state = 'waiting';
    }
  }

  /** The leader stands there now. */
  meet([name, position, hasState]: TabPlace): void {
    const place = this.places.get(name);
    if (!place || place.state === 'over') return;
    place.hasState = hasState;
    if (place.state === 'joined' && isSamePlace(place.position, position)) return;
    const isLive = place.position === undefined && !hasState;
    this.join(name, place, [position], isLive || isSamePlace(place.position, position), position);
  }

  /** The leader tells this. */
  take(call: TabCall): void {
    const [what, name] = call;
    const place = this.places.get(name);
    if (what === 'status' || !place || place.state === 'over') return;
    if (what === 'opened') {
      const [, , position, asked] = call;
      const fits = place.position === undefined || isSamePlace(place.position, asked);
      this.join(name, place, [asked, position], fits, position);
    } else if (place.state === 'late') {
      place.kept.push([positionOf(call), call]);
      if (place.kept.length > KEPT_CALLS) place.kept.shift();
      this.findPlace(name, place);
      this.onLate();
    } else if (place.state === 'joined') {
      this.tell(place, call);
    } else if (what === 'over') {
      const [, , how, asked] = call;
      const fits = how !== 'onEnd' || !place.position || isSamePlace(place.position, asked);
      if (fits) this.tell(place, call);
      else this.fallBehind(place);
    }
  }

  /** What the tab's own connection brings for channels that are late. */
  readonly own: UpstreamSink = {
    opened: (...call) => this.takeOwn(['opened', ...call, undefined]),
    event: (...call) => this.takeOwn(['event', ...call]),
    reset: (...call) => this.takeOwn(['reset', ...call]),
    over: (name, how, error) => this.takeOwn(['over', name, how, undefined, ...packed(error)]),
    // The leader's connection is the one that counts.
    status: () => undefined,
  };

  private takeOwn(call: Exclude<TabCall, readonly ['status', ...unknown[]]>): void {
    const [what, name] = call;
    const place = this.places.get(name);
    if (place?.state !== 'late') return;
    this.tell(place, call);
    // A state comes after the opening: it must not be missed.
    if (what !== 'opened' || !place.hasState) this.findPlace(name, place);
  }

  private join(
    name: string,
    place: Place,
    leaders: readonly (string | undefined)[],
    fits: boolean,
    position: string | undefined,
  ): void {
    if (place.state !== 'late' && fits) {
      place.state = 'joined';
      this.tell(place, ['opened', name, position, undefined]);
      return;
    }
    this.fallBehind(place);
    place.kept = leaders.map((each) => [each]);
    this.findPlace(name, place);
  }

  private fallBehind(place: Place): void {
    place.state = 'late';
    place.kept = [];
    this.onLate();
  }

  /** Goes on with what the leader has told, if it has told what was read last. */
  private findPlace(name: string, place: Place): void {
    if (place.state !== 'late' || !place.position) return;
    const found = place.kept.findIndex(([position]) => isSamePlace(position, place.position));
    if (found < 0) return;
    const rest = place.kept.slice(found + 1);
    place.kept = [];
    place.state = 'joined';
    for (const [, call] of rest) if (call && this.isJoined(name, place)) this.tell(place, call);
  }

  /** The page may have given the channel up. */
  private isJoined(name: string, place: Place): boolean {
    return this.places.get(name) === place && place.state === 'joined';
  }

  private tell(place: Place, call: TabCall): void {
    const { sink } = this;
    place.position = positionOf(call) ?? (call[0] === 'reset' ? undefined : place.position);
    switch (call[0]) {
      case 'opened':
        return sink.opened(call[1], call[2]);
      case 'event':
        return sink.event(call[1], call[2]);
      case 'reset':
        return sink.reset(call[1], call[2], call[3]);
      case 'over':
        place.state = 'over';
        return sink.over(call[1], call[2], unpacked([call[4], call[5]]));
      case 'status':
    }
  }
}

function positionOf(call: TabCall): string | undefined {
  switch (call[0]) {
    case 'opened':
      return call[2];
    case 'event':
      return call[2].position;
    case 'reset':
      return call[3];
    default:
      return undefined;
  }
}
