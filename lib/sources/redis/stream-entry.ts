import type { HistoryEvent, OutgoingEvent, ResetReason } from '../../channel/source.js';
import { laterStreamId } from './stream-id.js';

/** The `m` field of the entry that every stream begins with. */
const BEGINNING = 'o';
/** The `m` field of an entry that announces a reset; its data is the reason. */
const RESET = 'x';

/** One entry of a channel's stream. */
export type StreamEntry =
  | { readonly kind: 'event'; readonly id: string; readonly event: HistoryEvent }
  | { readonly kind: 'reset'; readonly id: string; readonly reason: ResetReason }
  /** Nothing for readers: the beginning of the stream, or a foreign entry. */
  | { readonly kind: 'mark'; readonly id: string };

/** The entries of one publication, and the id of the entry before them. */
export interface StreamMessage {
  readonly previous: string;
  readonly entries: readonly StreamEntry[];
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

/** Where each meta and each data ends in the text of a message, for `parseMessage`. */
export function lengthsOf(parts: readonly string[]): string {
  return parts.map((part) => part.length).join(',');
}

/** Reads an entry of a stream. */
export function entryOf([id, fields]: RawEntry): StreamEntry {
  const data = fieldOf(fields, 'd');
  return data === undefined ? { kind: 'mark', id } : entry(id, fieldOf(fields, 'm') ?? '', data);
}

/**
 * Reads a publication: `<previous id> <first id> <lengths>`, a line feed, and the texts of
 * all entries. `undefined` when it is not one of ours.
 */
export function parseMessage(text: string): StreamMessage | undefined {
  const head = text.indexOf('\n');
  const [previous, first, lengths] = text.slice(0, Math.max(head, 0)).split(' ');
  if (!previous || !first || !lengths) {
    return undefined;
  }
  const ends = lengths.split(',');
  const entries: StreamEntry[] = [];
  let at = head + 1;
  for (let i = 0; i + 1 < ends.length; i += 2) {
    const middle = at + Number(ends[i]);
    const end = middle + Number(ends[i + 1]);
    const id = i === 0 ? first : laterStreamId(first, i / 2);
    entries.push(entry(id, text.slice(at, middle), text.slice(middle, end)));
    at = end;
  }
  return at === text.length && entries.length > 0 ? { previous, entries } : undefined;
}

function entry(id: string, meta: string, data: string): StreamEntry {
  switch (meta) {
    case '':
      return { kind: 'event', id, event: { data, position: id } };
    case BEGINNING:
      return { kind: 'mark', id };
    case RESET:
      return { kind: 'reset', id, reason: data as ResetReason };
    default:
      return withMeta(id, meta, data);
  }
}

function withMeta(id: string, meta: string, data: string): StreamEntry {
  let own: Meta | undefined;
  try {
    own = JSON.parse(meta) as Meta;
  } catch {
    // Somebody else has written to the stream.
    return { kind: 'mark', id };
  }
  const { t, i, r, e } = own;
  return {
    kind: 'event',
    id,
    event: { data, position: id, type: t, id: i, retry: r, end: e === 1 ? true : undefined },
  };
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] === name) {
      return fields[i + 1];
    }
  }
  return undefined;
}
