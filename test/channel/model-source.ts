import type {
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  ChannelSource,
  HistoryEvent,
  HistoryPage,
  ResetReason,
} from '../../lib/channel/source.js';
import { isNextAfter, plainPosition } from '../../lib/channel/start-position.js';

/** A place in what a source has written: behind the event with this number of this history. */
export interface Place {
  readonly generation: number;
  readonly number: number;
}

/** What one event is like. */
export interface ModelEvent {
  readonly hasOwnId?: boolean;
  /** It ends a run. */
  readonly end?: boolean;
  /** It cannot be sent: clients are told in its place. */
  readonly isBad?: boolean;
}

/** How the source answers when it is asked for a page of its history. */
export type Answering = 'at once' | 'when told' | 'with an error' | 'behind';

/** The position of what is told by a reset without one. */
const positionOf = ({ generation, number }: Place): string => `${generation}.${number}`;

/**
 * A source whose events are numbered, so that what is lost, repeated or out of order shows. It
 * does to its history whatever a system behind a source may do: it is slow, or away, trims and
 * is replaced.
 */
export class ModelSource implements ChannelSource, ChannelHistory {
  generation = 1;
  /** Everything written since the history was last replaced. */
  private events: ModelEvent[] = [];
  /** So many of the oldest events are gone. */
  private floor = 0;
  /** Up to here the log has told where it goes on: so much the history shows at least. */
  private settled = 0;
  /** So many events were appended to the channel. */
  appended = 0;
  answering: Answering = 'at once';
  pageSize = 256;
  reads = 0;
  resets = 0;
  private held: (() => void)[] = [];
  /** Where runs have ended. */
  private readonly ends = new Set<string>();
  private sink: ChannelSink | undefined;
  /** What positions of a log without a source's stand for. */
  private readonly places = new Map<string, Place>();
  /** Those of resets, which stand behind an event. */
  private readonly ofResets = new Set<string>();

  constructor(readonly hasHistory: boolean) {}

  get written(): number {
    return this.events.length;
  }

  /** Where the log of the channel ends. */
  get head(): Place {
    return { generation: this.generation, number: this.appended };
  }

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    this.sink = sink;
    this.settled = this.appended = this.written;
    sink.live(this.hasHistory ? positionOf(this.head) : undefined);
    this.noteHead();
    return { ...(this.hasHistory && { history: this }), close: () => (this.sink = undefined) };
  }

  write(events: readonly ModelEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      if (event.end && !event.isBad) {
        this.ends.add(positionOf({ generation: this.generation, number: this.written }));
      }
    }
  }

  /** Appends what was written and has not been. */
  append(): void {
    while (this.sink && this.appended < this.written) {
      const { isBad, end, hasOwnId } = this.events[this.appended]!;
      this.appended++;
      const position = this.hasHistory ? positionOf(this.head) : undefined;
      if (isBad) {
        this.sink.reset('skipped-event', position);
      } else {
        const data = positionOf(this.head);
        const id = hasOwnId ? ownIdOf(this.head) : undefined;
        const given = this.sink.append({ data, position, id, end });
        this.places.set(given, this.head);
      }
      this.noteHead();
    }
  }

  /** Drops the oldest events, up to a share of those that were appended. */
  trim(share: number): void {
    this.floor = Math.max(this.floor, Math.floor(this.appended * share));
  }

  /** The system behind the source has lost everything, and begins anew. */
  replace(count: number): void {
    this.generation++;
    this.events = Array.from({ length: count }, () => ({}));
    this.floor = 0;
    this.appended = count;
    this.reset('failover', true);
  }

  reset(reason: ResetReason, withPosition: boolean): void {
    this.resets++;
    this.settled = this.appended;
    this.sink?.reset(reason, withPosition && this.hasHistory ? positionOf(this.head) : undefined);
    this.noteHead();
    if (!this.hasHistory) {
      this.ofResets.add(this.headPosition?.() ?? '');
    }
  }

  /** Answers what was held back. */
  answer(): void {
    this.held.splice(0).forEach((answer) => answer());
  }

  compare(a: string, b: string): number {
    const [first, second] = [parse(a), parse(b)];
    if (!first || !second) {
      return (first ? 1 : 0) - (second ? 1 : 0);
    }
    return first.generation - second.generation || first.number - second.number;
  }

  read(position: string | undefined, limit: number): Promise<HistoryPage> {
    this.reads++;
    switch (this.answering) {
      case 'with an error':
        return Promise.reject(new Error('The model is away.'));
      case 'when told':
        return new Promise((resolve) => {
          this.held.push(() => resolve(this.page(position, limit, this.written)));
        });
      case 'behind':
        // It does not show yet what it has appended last.
        return Promise.resolve(
          this.page(position, limit, Math.max(this.settled, this.appended - 2)),
        );
      default:
        return Promise.resolve(this.page(position, limit, this.written));
    }
  }

  /** The place a client stands at that has this id; `undefined` when it is none of this source. */
  placeOf(id: string): Place | undefined {
    const place =
      this.places.get(id) ?? this.places.get(plainPosition(id)) ?? parse(plainPosition(id));
    return place ?? this.ownPlace(id);
  }

  /** The event that has this own id. */
  private ownPlace(id: string): Place | undefined {
    const place = parseOwnId(id);
    const known = this.hasHistory ? this.written : this.appended;
    return place && place.number <= known && this.events[place.number - 1]?.hasOwnId
      ? place
      : undefined;
  }

  /** Whether a client with this id has received the end of a run. */
  isEnd(id: string): boolean {
    const place = isNextAfter(id) || this.ofResets.has(id) ? undefined : this.placeOf(id);
    return place !== undefined && this.ends.has(positionOf(place));
  }

  private page(position: string | undefined, limit: number, shown: number): HistoryPage {
    const own = position === undefined ? undefined : this.ownPlace(position);
    const place = position === undefined ? undefined : (own ?? parse(position));
    if (position !== undefined && !place) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    if (place && place.generation !== this.generation) {
      return { events: [], last: true, reset: 'failover' };
    }
    const after = place?.number ?? this.floor;
    if (after > this.written || (own && after <= this.floor)) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    if (after < this.floor) {
      return { events: [], last: true, reset: 'trimmed' };
    }
    const end = Math.max(after, Math.min(shown, after + Math.min(limit, this.pageSize)));
    const events: HistoryEvent[] = [];
    for (let number = after + 1; number <= end; number++) {
      events.push(this.historyEvent(number));
    }
    const at = place && after > this.floor ? this.events[after - 1] : undefined;
    return {
      events,
      last: end >= shown,
      ended: at?.end === true && !at.isBad,
      position: own && positionOf(own),
    };
  }

  private historyEvent(number: number): HistoryEvent {
    const { isBad, end, hasOwnId } = this.events[number - 1]!;
    const place = { generation: this.generation, number };
    const position = positionOf(place);
    return isBad
      ? { position, data: '', reset: 'skipped-event' }
      : { position, data: position, end, id: hasOwnId ? ownIdOf(place) : undefined };
  }

  /** Where a log numbers by itself, its head stands for what was appended last. */
  noteHead(): void {
    const head = this.headPosition?.();
    if (!this.hasHistory && head !== undefined) {
      this.places.set(head, this.head);
    }
  }

  /** Tells the position of the log's head. */
  headPosition: (() => string | undefined) | undefined;
}

const ownIdOf = ({ generation, number }: Place): string => `own ${generation} ${number}`;

function parse(position: string): Place | undefined {
  const [, generation, number] = /^(\d+)\.(\d+)$/.exec(position) ?? [];
  return number === undefined
    ? undefined
    : { generation: Number(generation), number: Number(number) };
}

function parseOwnId(id: string): Place | undefined {
  return id.startsWith('own ') ? parse(id.slice(4).replace(' ', '.')) : undefined;
}
