import type { HistoryEvent, OutgoingEvent, ResetReason } from '../../channel/source.js';
import { laterStreamId } from './stream-id.js';

/** The `m` field of an entry that holds no event: the one that a stream begins with, and others. */
const MARKS: ReadonlySet<string> = new Set(['o', '-']);
/** The `m` field of an entry that announces a reset; its data is the reason. */
const RESET = 'x';

/** What an entry of a channel's stream holds, one after the other. */
export type StreamItem =
  | { readonly kind: 'event'; readonly id: string; readonly event: HistoryEvent }
  | { readonly kind: 'reset'; readonly id: string; readonly reason: ResetReason }
  /** Nothing for readers: the beginning of the stream, or a foreign entry. */
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

/** Reads an entry of a stream. */
export function itemsOf([id, fields]: RawEntry): readonly StreamItem[] {
  const data = fieldOf(fields, 'd');
  if (data === undefined) {
    return [{ kind: 'mark', id }];
  }
  const lengths = fieldOf(fields, 'l');
  if (lengths === undefined) {
    return [item(id, fieldOf(fields, 'm') ?? '', data)];
  }
  const others = lengths.split(',').length - 1;
  return (
    split(lengths, data, (index) => laterStreamId(id, index - others)) ?? [{ kind: 'mark', id }]
  );
}

/**
 * Reads a publication: `<previous id> <first id> <lengths>`, a line feed, and the texts of
 * all its events. `undefined` when it is not one of ours.
 */
export function parseMessage(text: string): StreamMessage | undefined {
  const head = text.indexOf('\n');
  const [previous, first, lengths] = text.slice(0, Math.max(head, 0)).split(' ');
  if (!previous || !first || lengths === undefined) {
    return undefined;
  }
  const texts = text.slice(head + 1);
  const items =
    lengths === ''
      ? [item(first, '', texts)]
      : split(lengths, texts, (index) => laterStreamId(first, index));
  return items && { previous, items };
}

/** Parts texts that stand one behind the other. `undefined` when the lengths are not theirs. */
function split(
  lengths: string,
  texts: string,
  idOf: (index: number) => string,
): readonly StreamItem[] | undefined {
  let at = 0;
  const items = lengths.split(',').map((length, index) => {
    const plus = length.indexOf('+');
    const middle = at + (plus < 0 ? 0 : Number(length.slice(0, plus)));
    const end = middle + Number(length.slice(plus + 1));
    const part = item(idOf(index), texts.slice(at, middle), texts.slice(middle, end));
    at = end;
    return part;
  });
  return at === texts.length ? items : undefined;
}

function item(id: string, meta: string, data: string): StreamItem {
  if (meta === '') {
    return { kind: 'event', id, event: { data, position: id } };
  }
  if (meta === RESET) {
    return { kind: 'reset', id, reason: data as ResetReason };
  }
  return MARKS.has(meta) ? { kind: 'mark', id } : withMeta(id, meta, data);
}

function withMeta(id: string, meta: string, data: string): StreamItem {
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
