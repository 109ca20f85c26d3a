import { isResetReason } from '../../channel/reset-event.js';
import type { HistoryEvent, OutgoingEvent, ResetReason } from '../../channel/source.js';
import { BEGIN, DATA, GO_ON, LENGTHS, META, RESET } from './lua/lua.generated.js';
import type { OnceRecord } from './once-record.js';
import { compareStreamIds, isStreamId, laterStreamId, streamIdsFrom } from './stream-id.js';

/**
 * The version of the format in Redis, which docs/internals/redis.md describes. Entries of version 1
 * have no field `v`, and its messages do not begin with `v`. Later versions have both.
 */
const WIRE_VERSION = '1';
const LATER_MESSAGE = /^v(\d+) /;
/** The most events of an entry, and the most characters of their lengths. Ours have far fewer. */
const MAX_EVENTS = 10_000;
const MAX_LENGTHS = 16 * MAX_EVENTS;

const [PLUS, COMMA, ZERO, NINE] = [43, 44, 48, 57] as const;

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
export type StreamMessage = { readonly previous: string } & (
  | { readonly items: readonly StreamItem[]; readonly plain?: undefined }
  /** Most publications are of events that have only data. */
  | { readonly plain: readonly HistoryEvent[] }
);

/** An entry as Redis replies it: its id, and its fields' names and values in turn. */
export type RawEntry = readonly [id: string, fields: readonly string[]];

export interface Meta {
  readonly t?: string | undefined;
  readonly i?: string | undefined;
  readonly r?: number | undefined;
  readonly e?: 1 | undefined;
  /** Set for `sse:join` and `sse:leave`. */
  readonly p?: 1 | undefined;
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
  /** Set for an event with an idempotency key. */
  readonly once?: OnceRecord | undefined;
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
  const ends = endsOf(lengths, data.length);
  const first = ends && laterStreamId(id, 1 - ends.length / 2);
  const ids = first === undefined ? undefined : streamIdsFrom(first, ends!.length / 2);
  return ids
    ? split(ids, ends!, data)
    : [
        unreadable(
          id,
          `its field \`${LENGTHS}\` does not tell the lengths of what \`${DATA}\` holds.`,
        ),
      ];
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
  const [blank, head] = [text.indexOf(' '), text.indexOf('\n')];
  const next = text.indexOf(' ', blank + 1);
  if (blank < 0 || next < 0 || next > head) {
    return undefined;
  }
  const [previous, first] = [text.slice(0, blank), text.slice(blank + 1, next)];
  if (!isStreamId(previous) || !isStreamId(first) || compareStreamIds(previous, first) >= 0) {
    return undefined;
  }
  const lengths = text.slice(next + 1, head);
  const texts = text.slice(head + 1);
  const ends = lengths === '' ? [0, texts.length] : endsOf(lengths, texts.length);
  const ids = ends && streamIdsFrom(first, ends.length / 2);
  if (!ids) {
    return undefined;
  }
  if (!lengths.includes('+')) {
    return {
      previous,
      plain: ids.map((id, nth) => ({ data: dataOf(texts, ends, nth), position: id })),
    };
  }
  const items = split(ids, ends, texts);
  // If a part is unreadable, the feed reads the stream instead of the message.
  return items.every(isReadable) ? { previous, items } : undefined;
}

/** What a message holds. */
export function itemsOfMessage(message: StreamMessage): readonly StreamItem[] {
  return message.plain
    ? message.plain.map((event) => ({ kind: 'event', id: event.position, event }))
    : message.items;
}

/**
 * Where the meta and the data of each event end in the text that joins them all, in turn; `undefined`
 * when the lengths do not fit a text of this size.
 */
function endsOf(lengths: string, size: number): readonly number[] | undefined {
  if (lengths.length > MAX_LENGTHS) {
    return undefined;
  }
  const ends: number[] = [];
  let [end, value, digits] = [0, 0, 0];
  for (let at = 0; at <= lengths.length; at++) {
    const code = at < lengths.length ? lengths.charCodeAt(at) : COMMA;
    if (code >= ZERO && code <= NINE && value <= size) {
      value = value * 10 + code - ZERO;
      digits++;
      continue;
    }
    const isMeta = ends.length % 2 === 0 && code === PLUS;
    if (digits === 0 || (code !== COMMA && !isMeta)) {
      return undefined;
    }
    if (!isMeta && ends.length % 2 === 0) {
      ends.push(end);
    }
    end += value;
    ends.push(end);
    [value, digits] = [0, 0];
  }
  return end === size && ends.length <= 2 * MAX_EVENTS ? ends : undefined;
}

/** Splits a text into the items that it joins. */
function split(
  ids: readonly string[],
  ends: readonly number[],
  texts: string,
): readonly StreamItem[] {
  return ids.map((id, nth) =>
    item(id, texts.slice(ends[nth * 2 - 1] ?? 0, ends[nth * 2]), dataOf(texts, ends, nth)),
  );
}

function dataOf(texts: string, ends: readonly number[], nth: number): string {
  return texts.slice(ends[nth * 2], ends[nth * 2 + 1]);
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
  const { t, i, r, e, p } = own;
  const event = { data, position: id, type: t, id: i, retry: r, end: e === 1 ? true : undefined };
  return { kind: 'event', id, event: p === 1 ? { ...event, isPresence: true } : event };
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
