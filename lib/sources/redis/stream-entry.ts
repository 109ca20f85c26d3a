import type { HistoryEvent, OutgoingEvent, ResetReason } from '../../channel/source.js';
import { BEGIN, DATA, GO_ON, LENGTHS, META, RESET } from './lua/lua.generated.js';
import { compareStreamIds, isStreamId, laterStreamId } from './stream-id.js';

/**
 * The version of what instances write to Redis, as docs/internals/redis.md describes it. Entries of
 * version 1 have no field `v`, and its messages do not begin with `v`. Later versions have both.
 */
const WIRE_VERSION = '1';
const LATER_MESSAGE = /^v(\d+) /;
/** How many events an entry may hold, and how long their lengths may be. Ours hold far fewer. */
const MAX_EVENTS = 10_000;
const MAX_LENGTHS = 16 * MAX_EVENTS;

/** What an entry of a channel's stream holds, one after the other. */
export type StreamItem =
  | { readonly kind: 'event'; readonly id: string; readonly event: HistoryEvent }
  /** Something that clients are told in place of events. */
  | {
      readonly kind: 'reset';
      readonly id: string;
      readonly reason: ResetReason;
      /** Why it could not be read, when somebody else has written it. */
      readonly fault?: string;
      /** The later version of this package that wrote it, when this one cannot read it. */
      readonly version?: string;
    }
  /** Nothing for readers, such as the beginning of the stream. */
  | { readonly kind: 'mark'; readonly id: string };

/** One publication, and the id of the event before it. */
export interface StreamMessage {
  readonly previous: string;
  readonly items: readonly StreamItem[];
}

/** An entry as Redis replies it: its id, and its fields' names and values in turn. */
export type RawEntry = readonly [id: string, fields: readonly string[]];

interface Meta {
  readonly t?: string | undefined;
  readonly i?: string | undefined;
  readonly r?: number | undefined;
  readonly e?: 1 | undefined;
}

/** What an entry says of an event beside its data; empty when there is nothing to say. */
export function metaOf({ type, id, retry, end }: OutgoingEvent): string {
  if (type === undefined && id === undefined && retry === undefined && !end) {
    return '';
  }
  return JSON.stringify({ t: type, i: id, r: retry, e: end ? 1 : undefined } satisfies Meta);
}

/** What a text in an entry or a message is made of. */
export interface EventText {
  readonly meta: string;
  readonly data: string;
  /** The publisher's own id. */
  readonly own?: string | undefined;
}

/**
 * How long the texts of several events are that stand one behind the other, in UTF-16 units: for
 * each event the length of its data, after that of its meta and a plus if it has one. Empty for
 * one event without meta, which is all there is.
 */
export function lengthsOf(events: readonly EventText[]): string {
  if (events.length === 1 && events[0]!.meta === '') {
    return '';
  }
  let lengths = '';
  for (const { meta, data } of events) {
    lengths += `${lengths && ','}${meta && `${meta.length}+`}${data.length}`;
  }
  return lengths;
}

/** Reads an entry of a stream. What somebody else has written is announced in its place. */
export function itemsOf([id, fields]: RawEntry): readonly StreamItem[] {
  const version = fieldOf(fields, 'v') ?? WIRE_VERSION;
  if (version !== WIRE_VERSION) {
    return [{ ...unreadable(id, `its format has version ${version}.`), version }];
  }
  const data = fieldOf(fields, DATA);
  if (data === undefined) {
    return [unreadable(id, `it has no field \`${DATA}\`.`)];
  }
  const lengths = fieldOf(fields, LENGTHS);
  if (lengths === undefined) {
    return [item(id, fieldOf(fields, META) ?? '', data)];
  }
  const others = lengths.split(',', MAX_EVENTS + 1).length - 1;
  return (
    split(lengths, data, (index) => laterStreamId(id, index - others)) ?? [
      unreadable(
        id,
        `its field \`${LENGTHS}\` does not tell the lengths of what \`${DATA}\` holds.`,
      ),
    ]
  );
}

/** The version of a message that a later version of this package wrote. */
export function laterVersionOf(text: string): string | undefined {
  return LATER_MESSAGE.exec(text)?.[1];
}

/**
 * Reads a publication: `<previous id> <first id> <lengths>`, a line feed, and the texts of
 * all its events. `undefined` when it is not one of ours.
 */
export function parseMessage(text: string): StreamMessage | undefined {
  const head = text.indexOf('\n');
  const [previous, first, lengths, ...rest] = text.slice(0, Math.max(head, 0)).split(' ', 4);
  if (
    previous === undefined ||
    first === undefined ||
    lengths === undefined ||
    rest.length > 0 ||
    !isStreamId(previous) ||
    !isStreamId(first) ||
    compareStreamIds(previous, first) >= 0
  ) {
    return undefined;
  }
  const texts = text.slice(head + 1);
  const items =
    lengths === ''
      ? [item(first, '', texts)]
      : split(lengths, texts, (index) => laterStreamId(first, index));
  // What cannot be read is told by the stream, which may hold it or not.
  return items?.every(isReadable) ? { previous, items } : undefined;
}

/** Parts texts that stand one behind the other. `undefined` when the lengths are not theirs. */
function split(
  lengths: string,
  texts: string,
  idOf: (index: number) => string | undefined,
): readonly StreamItem[] | undefined {
  const parts = lengths.length > MAX_LENGTHS ? [] : lengths.split(',', MAX_EVENTS + 1);
  if (parts.length === 0 || parts.length > MAX_EVENTS) {
    return undefined;
  }
  const items: StreamItem[] = [];
  let at = 0;
  for (let index = 0; index < parts.length; index++) {
    const id = idOf(index);
    const part = parts[index]!;
    const plus = part.indexOf('+');
    const meta = plus < 0 ? 0 : Number(part.slice(0, plus));
    const data = Number(part.slice(plus + 1));
    if (id === undefined || !isLength(meta) || !isLength(data)) {
      return undefined;
    }
    const [middle, end] = [at + meta, at + meta + data];
    items.push(item(id, texts.slice(at, middle), texts.slice(middle, end)));
    at = end;
  }
  return at === texts.length ? items : undefined;
}

function isLength(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function item(id: string, meta: string, data: string): StreamItem {
  if (meta === '') {
    return { kind: 'event', id, event: { data, position: id } };
  }
  if (meta === RESET) {
    // A later version may know other reasons: events may be missing, whatever it is.
    return { kind: 'reset', id, reason: REASONS.has(data) ? (data as ResetReason) : 'failover' };
  }
  return meta === BEGIN || meta === GO_ON ? { kind: 'mark', id } : withMeta(id, meta, data);
}

const REASONS: ReadonlySet<string> = new Set<ResetReason>([
  'trimmed',
  'unknown-position',
  'failover',
  'listener-gap',
  'slow-consumer',
  'skipped-event',
]);

function withMeta(id: string, meta: string, data: string): StreamItem {
  let own: Meta | null;
  try {
    own = JSON.parse(meta) as Meta | null;
  } catch {
    own = null;
  }
  if (typeof own !== 'object' || own === null) {
    return unreadable(id, 'what it says of its event is no JSON object.');
  }
  // Whether these are what they should be is checked where the event enters the channel.
  const { t, i, r, e } = own;
  return {
    kind: 'event',
    id,
    event: { data, position: id, type: t, id: i, retry: r, end: e === 1 ? true : undefined },
  };
}

function unreadable(id: string, fault: string): StreamItem & { readonly kind: 'reset' } {
  return { kind: 'reset', id, reason: 'skipped-event', fault };
}

function isReadable(one: StreamItem): boolean {
  return one.kind !== 'reset' || one.fault === undefined;
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] === name) {
      return fields[i + 1];
    }
  }
  return undefined;
}
