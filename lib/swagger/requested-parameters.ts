import type { EndpointFacts } from './endpoint-facts.js';
import type { Parameter, RequestBody, Schema } from './open-api.js';

type Requested = NonNullable<EndpointFacts['requested']>;

const BY_CHANNEL: Schema = { type: 'string', enum: ['channel'] };

const IDS =
  'With `channel` the id of an event is the position in its own channel, `<label>:<position>`. Without it, ' +
  'an id has the position in each channel.';

/** Methods of operations whose requests name channels by their query. */
const BY_QUERY = new Set(['get', 'head']);

/** The parameters by which a request names its channels. */
export function requestedParameters(requested: Requested, method: string): Parameter[] {
  return BY_QUERY.has(method)
    ? [
        {
          ...inQuery('channel'),
          required: true,
          description: named(requested),
          schema: names(requested),
        },
        { ...inQuery('ids'), description: IDS, schema: BY_CHANNEL },
        {
          ...inQuery('earliest'),
          description: 'Channels that are read from the oldest event that is retained.',
          schema: { type: 'array', items: { type: 'string' } },
        },
        {
          ...inQuery('from'),
          description:
            'Where to begin in channels, each as `<position>,<channel>`; the position may be `earliest`.',
          schema: { type: 'array', items: { type: 'string' } },
        },
      ]
    : [];
}

/** The body by which a request names its channels; `undefined` where the query does. */
export function requestedBody(requested: Requested, method: string): RequestBody | undefined {
  return BY_QUERY.has(method)
    ? undefined
    : { required: true, content: { 'application/json': { schema: bodyOf(requested) } } };
}

function bodyOf(requested: Requested): Schema {
  return {
    type: 'object',
    required: ['channels'],
    properties: {
      channels: { ...names(requested), description: named(requested) },
      ids: { ...BY_CHANNEL, description: IDS },
      lastEventId: {
        type: 'string',
        description: 'The position in each channel that the client has: `<label>:<position>,…`.',
      },
      from: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'By channel: a position without a label, or `earliest`.',
      },
    },
  };
}

function inQuery(name: string): Parameter {
  return { name, in: 'query', required: false };
}

function names({ limit }: Requested): Schema {
  return {
    type: 'array',
    items: { type: 'string' },
    ...(limit !== Infinity && { maxItems: limit }),
  };
}

function named({ only }: Requested): string {
  return only
    ? `The names of channels: ${only.map(({ text }) => `\`${text}\``).join(', ')}.`
    : 'The names of channels.';
}
