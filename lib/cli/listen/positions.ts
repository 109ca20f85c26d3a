/** What an id says of the place of an event. */
export interface Place {
  /** The channel, where the stream has several and the id tells. */
  readonly channel: string | undefined;
  /** The position in that channel, or the id as it is. */
  readonly position: string;
}

const LABEL_LENGTH = 8;
/** The id of an entry of a Redis stream begins with its time. */
const WITH_TIME = /^(\d{13})-\d+$/;

/** Where a stream is: the id after which it goes on, put together where ids tell of one channel each. */
export class Positions {
  /** The channel behind each label of the ids; empty where ids have none. */
  private labels: ReadonlyMap<string, string> = new Map();
  private places = new Map<string, string>();
  /** The last id as it came. */
  private last: string | undefined;

  constructor(begin: string | undefined) {
    this.last = begin;
  }

  /** What to send as `Last-Event-ID`; empty for nothing. */
  get lastEventId(): string {
    const parts = [...this.places].map(([label, position]) => `${label}:${position}`);
    return parts.length > 0 ? parts.join(',') : (this.last ?? '');
  }

  /** Takes over the labels of `sse:open` and `sse:channels`, and the id that came with it. */
  begin(labels: unknown, id: string | undefined): void {
    const entries = Object.entries(Object(labels) as object);
    this.labels = new Map(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
    // The places of channels that are left out are nobody's.
    this.places = new Map([...this.places].filter(([label]) => this.labels.has(label)));
    if (id !== undefined) {
      this.take(id);
    }
  }

  /** Takes an id over. */
  take(id: string): Place {
    const parts = this.labels.size === 0 || id === '' ? [] : id.split(',').map(partOf);
    const known = parts.filter(({ label }) => this.labels.has(label));
    if (known.length === 0 || known.length < parts.length) {
      this.last = id;
      this.places.clear();
      return { channel: undefined, position: id };
    }
    const changed = known.filter(({ label, position }) => this.places.get(label) !== position);
    for (const { label, position } of known) {
      this.places.set(label, position);
    }
    const [one, another] = known.length === 1 ? known : changed;
    return one && !another
      ? { channel: this.labels.get(one.label), position: one.position }
      : { channel: undefined, position: id };
  }
}

function partOf(text: string): { readonly label: string; readonly position: string } {
  return text[LABEL_LENGTH] === ':'
    ? { label: text.slice(0, LABEL_LENGTH), position: text.slice(LABEL_LENGTH + 1) }
    : { label: '', position: text };
}

/**
 * How old an event is, in milliseconds, by the clock of this machine and that of the server; `undefined`
 * for a position that has no time.
 */
export function delayOf(position: string | undefined, now: number): number | undefined {
  const time = WITH_TIME.exec(position ?? '')?.[1];
  return time === undefined ? undefined : now - Number(time);
}
