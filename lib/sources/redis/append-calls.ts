import { SseError } from '../../channel/sse-error.js';
import { AGAIN, APPEND } from './lua/lua.generated.js';
import type { CallKind } from './numbered-call.js';
import { ownIdsOf } from './own-ids.js';
import { refusalOf, replyError } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import { lengthsOf, type EventText } from './stream-entry.js';
import { streamIdsFrom } from './stream-id.js';

/** Calls that append events to streams: a lane is a stream, and an event's id is its entry's. */
export function appendKind({ connection, limits, published, reading }: RedisStreams): CallKind {
  const { address } = connection;
  return {
    script: APPEND,
    isPerLane: false,
    args: limits,
    argsOf: (lanes) => {
      let heads = '';
      const texts: string[] = [];
      for (const events of lanes) {
        if (events[0]!.once) {
          heads += keyedHeadsOf(events);
          texts.push(...events.map(({ meta, data }) => meta + data));
        } else {
          heads += headOf(events);
          texts.push(textOf(events));
        }
      }
      return [heads, ...texts];
    },
    // In a Cluster each stream has its own marker, which tells whether the server has the last event.
    last: ([key]) => (connection.isCluster ? published.lastOf(key!) : undefined),
    outcomes: ([key], answer, number, count) => {
      // Events with idempotency keys have an answer each.
      const isOfKeys = answer.startsWith(AGAIN) || answer.includes(',');
      const { announcement, outcomes, newest } = isOfKeys
        ? readKeyed(answer, count, (message) => refusalOf(replyError(message), address, key!))
        : readPlain(answer, count);
      if (announcement !== undefined) {
        reading.noteLoss(key!, announcement);
      }
      if (newest !== undefined) {
        published.note(key!, newest, number);
      }
      return outcomes;
    },
  };
}

/** What the script answers for a stream. */
interface Answer {
  readonly outcomes: readonly (string | SseError)[];
  /** The id of the last event that is new. */
  readonly newest: string | undefined;
  /** The entry that announces a loss. */
  readonly announcement: string | undefined;
}

function readPlain(answer: string, count: number): Answer {
  const space = answer.indexOf(' ');
  const outcomes = streamIdsFrom(space < 0 ? answer : answer.slice(0, space), count)!;
  const announcement = space < 0 ? undefined : answer.slice(space + 1);
  return { outcomes, newest: outcomes[count - 1], announcement };
}

/** @param refusalFor makes the error of the events that Redis did not take */
function readKeyed(
  answer: string,
  count: number,
  refusalFor: (message: string) => SseError | undefined,
): Answer {
  const refused = answer.indexOf(',!');
  const [first, ...further] = (refused < 0 ? answer : answer.slice(0, refused)).split(',');
  const [firstId, announcement] = first!.split(' ') as [string, string?];
  const ids = [firstId, ...further];
  const newest = ids.findLast((id) => !id.startsWith(AGAIN));
  if (refused < 0) {
    return { outcomes: ids, newest, announcement };
  }
  const message = answer.slice(refused + 2);
  const refusal =
    refusalFor(message) ?? new SseError('UNAVAILABLE', `Redis did not take the event: ${message}`);
  const outcomes = Array.from({ length: count }, (_, nth) => ids[nth] ?? refusal);
  return { outcomes, newest, announcement };
}

/** The lines for events with idempotency keys, one each. */
function keyedHeadsOf(events: readonly EventText[]): string {
  return events
    .map((event, nth) => {
      const place = nth === 0 ? '=' : '+';
      return `${place}${event.once!.window} ${lengthsOf([event])} ${ownIdsOf([event])}\n`;
    })
    .join('');
}

/** The line that tells the script what the text of a stream holds: nothing for one event that is data only. */
function headOf(events: readonly EventText[]): string {
  const [lengths, owns] = [lengthsOf(events), ownIdsOf(events)];
  return lengths === '' && owns === '' ? '\n' : `${events.length} ${lengths} ${owns}\n`;
}

function textOf(events: readonly EventText[]): string {
  let text = '';
  for (const { meta, data } of events) {
    text += meta + data;
  }
  return text;
}
