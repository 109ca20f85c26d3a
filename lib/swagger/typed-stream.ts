import type { MediaType, Schema } from './open-api.js';

/** The events that the module sends by itself; see `SseEventMap`. */
const OWN_EVENTS: readonly string[] = [
  'sse:open',
  'sse:channels',
  'sse:denied',
  'sse:reset',
  'sse:snapshot',
  'sse:join',
  'sse:leave',
  'sse:end',
  'sse:error',
  'sse:stopped',
];

/** The event without a type; browsers and definitions call it so. */
const UNNAMED = 'message';

/**
 * The stream of a channel whose events have types. In OpenAPI 3.2 it has the fields that are on the wire, where data is text;
 * before, an event has its data parsed.
 *
 * @param schemas of each event's data, by its type
 * @param done the text that ends a run, if runs can end
 * @param fields of every event
 */
export function typedStream(
  schemas: Readonly<Record<string, Schema>>,
  done: string | undefined,
  fields: Readonly<Record<string, Schema>>,
  hasItemSchema: boolean,
): MediaType {
  const dataOf = (schema: Schema): Schema => (hasItemSchema ? asText(schema) : schema);
  const eventOf = (types: readonly string[], data: Schema): Schema => {
    const isUnnamed = types[0] === UNNAMED;
    return {
      type: 'object',
      required: isUnnamed ? ['data'] : ['event', 'data'],
      properties: { ...fields, event: { type: 'string', enum: types }, data },
    };
  };
  const events = [
    ...Object.entries(schemas).map(([type, schema]) => eventOf([type], dataOf(schema))),
    eventOf(OWN_EVENTS, dataOf({ type: 'object', description: 'About the stream itself.' })),
    ...(done === undefined ? [] : [eventOf([UNNAMED], { type: 'string', enum: [done] })]),
  ];
  return hasItemSchema ? { itemSchema: { anyOf: events } } : { schema: { anyOf: events } };
}

/** Data as it is on the wire: a text by itself, anything else as JSON. */
function asText(schema: Schema): Schema {
  return schema.type === 'string'
    ? schema
    : Object.keys(schema).length === 0
      ? { type: 'string' }
      : { type: 'string', contentMediaType: 'application/json', contentSchema: schema };
}
