import { isResetReason } from '../../channel/reset-event.js';
import type { HistoryEvent, OutgoingEvent, ResetReason } from '../../channel/source.js';
import { BEGIN, DATA, GO_ON, LENGTHS, META, RESET } from './lua/lua.generated.js';
import { compareStreamIds, isStreamId, laterStreamId } from './stream-id.js';

/**
 * The version of the format in Redis, which docs/internals/redis.md describes. Entries of version 1
 * have no field `v`, and its messages do not begin with `v`. Later versions have both.
 */
const WIRE_VERSION = '1';
const LATER_MESSAGE = /^v(\d+) /;
/** The most events of an entry, and the most characters of their lengths. Ours have far fewer. */
const MAX_EVENTS = 10_000;
const MAX_LENGTHS = 16 * MAX_EVENTS;

/** One thing that an entry of a channel's stream holds. */
export type StreamItem =
  | { readonly kind: 'event'; readonly id: string; readonly event: HistoryEvent }
  /** A reset that clients get. */
  | {
      readonly kind: 'reset';
      readonly id: string;
      readonly reason: ResetReason;
      /** Set when the entry cannot be read: the reason. */
      readonly fault?: string;
      /** Set when a later version of this package wrote it: that of its format. */
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

export interface Meta {
  readonly t?: string | undefined;
  readonly i?: string | undefined;
  readonly r?: number | undefined;
  readonly e?: 1 | undefined;
}

/** The meta of an event: all but its data, as JSON; empty when it has nothing else. */
export function metaOf({ type, id, retry, end }: OutgoingEvent): string {
  if (type === undefined && id === undefined && retry === undefined && !end) {
    return '';
  }
  return JSON.stringify({ t: type, i: id, r: retry, e: end ? 1 : undefined } satisfies Meta);
}

/** The two parts of an event's text in an entry or a message. */
export interface EventText {
  readonly meta: string;
  readonly data: string;
  /** The publisher's own id. */
  readonly own?: string | undefined;
}

/**
 * The lengths of several events' texts in UTF-16 units, separated by commas: `<data>`, or
 * `<meta>+<data>` for an event with meta. Empty for a single event without meta.
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

/** Reads an entry of a stream. One that cannot be read becomes a reset. */
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
  // If a part is unreadable, the feed reads the stream instead of the message.
  return items?.every(isReadable) ? { previous, items } : undefined;
}

/** Splits a text into the items that it joins. `undefined` when the lengths do not fit it. */
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
    // Later versions may have other reasons, which all mean that events may be missing.
    return { kind: 'reset', id, reason: isResetReason(data) ? data : 'failover' };
  }
  return meta === BEGIN || meta === GO_ON ? { kind: 'mark', id } : withMeta(id, meta, data);
}

function withMeta(id: string, meta: string, data: string): StreamItem {
  let own: Meta | null;
  try {
    own = JSON.parse(meta) as Meta | null;
  } catch {
    own = null;
  }
  if (typeof own !== 'object' || own === null) {
    return unreadable(id, 'its meta is no JSON object.');
  }
  // `checkEvent()` checks their types where the event enters the channel.
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
