import { checkChannelName } from '../channel/channel-name.js';
import { checkEvent, type EventLimits } from '../channel/event-check.js';
import { faultOfKey } from '../channel/once.js';
import { kindOf, shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { EventToPublish } from './publish.options.js';

/** What a request asks to publish. */
export interface PublishedEvents {
  /** Events as they are written, unchecked. */
  readonly items: readonly unknown[];
  /** Whether they are a list, so that the answer is one as well. */
  readonly areMany: boolean;
}

/** Names that this module keeps for itself. */
const RESERVED = 'sse:';

const FIELDS: readonly string[] = ['channel', 'data', 'type', 'id', 'retry', 'idempotencyKey'];

/**
 * Reads the body of a request: one event, or `{ "events": [...] }`.
 * @throws SseError `INVALID_EVENT`
 */
export function publishedEvents(body: unknown): PublishedEvents {
  if (!isObject(body)) {
    const remedy = Array.isArray(body)
      ? 'Put the list into an object'
      : 'Give one event or several';
    throw invalid(`The body is ${kindOf(body)}. ${remedy}: ${FORMS}.`);
  }
  if (!Object.hasOwn(body, 'events')) {
    return { items: [body], areMany: false };
  }
  const { events, ...others } = body;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw invalid(`The body has \`events\` and ${shown(other)}. Give one of these: ${FORMS}.`);
  }
  if (!Array.isArray(events)) {
    throw invalid(`\`events\` is ${kindOf(events)}. Give an array of events.`);
  }
  return { items: events, areMany: true };
}

const FORMS = '{ "channel": …, "data": … } or { "events": [{ "channel": …, "data": … }] }';

/**
 * Checks all of an event but its data.
 * @throws SseError `INVALID_EVENT`, `INVALID_CHANNEL`
 */
export function publishedEvent(item: unknown, limits: EventLimits): EventToPublish {
  if (!isObject(item)) {
    throw invalid(`The event is ${kindOf(item)}. Give an object with \`channel\` and \`data\`.`);
  }
  const unknown = Object.keys(item).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) {
    throw invalid(`The event has a field ${shown(unknown)}. There are: ${FIELDS.join(', ')}.`);
  }
  const { channel, data, ...rest } = item;
  checkChannelName(channel);
  if (channel.startsWith(RESERVED)) {
    throw new SseError(
      'INVALID_CHANNEL',
      `The channel's name is ${shown(channel)}. Names that begin with "${RESERVED}" are this module's own. Choose another.`,
    );
  }
  if (data === undefined) {
    throw invalid('The event has no `data`. Give a string, or a value that is written as JSON.');
  }
  // Programs in other languages write null for what they leave out.
  const given = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
  const options = Object.fromEntries(given) as Omit<EventToPublish, 'channel' | 'data'>;
  checkEvent({ ...options, data: '' }, limits);
  const { idempotencyKey } = options;
  if (idempotencyKey !== undefined) {
    checkKey(idempotencyKey, "The event's `idempotencyKey`");
  }
  return { ...options, channel, data };
}

/** @throws SseError `INVALID_EVENT` */
export function checkKey(key: unknown, what: string): void {
  const fault = faultOfKey(key);
  if (fault !== undefined) {
    throw invalid(`${what} ${fault}.`);
  }
}

export function invalid(message: string): SseError {
  return new SseError('INVALID_EVENT', message);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
