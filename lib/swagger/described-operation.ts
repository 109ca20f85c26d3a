import type { EndpointFacts } from './endpoint-facts.js';
import type { JsonSchemas } from './json-schemas.js';
import { typedStream } from './typed-stream.js';
import type { MediaType, Operation, Parameter, Response, Schema } from './open-api.js';
import { requestedBody, requestedParameters } from './requested-parameters.js';

const STREAM = 'text/event-stream';
const JSON_TYPE = 'application/json';

/** The fields of an event, as the registry of OpenAPI has them: https://spec.openapis.org/registry/media-type/sse */
const EVENT: Schema = {
  type: 'object',
  required: ['data'],
  properties: {
    event: { type: 'string', description: 'The name of the event. None: `message`.' },
    data: { type: 'string', description: 'Text, or a value as JSON.' },
    id: { type: 'string', description: 'The position after which a client resumes. It is opaque.' },
    retry: {
      type: 'integer',
      minimum: 0,
      description: 'After how many milliseconds a disconnected client returns.',
    },
  },
};

const EXAMPLE = 'event: progress\ndata: {"percent":50}\nid: 1764201600000.7\n\n';

/** Where an operation stands in the document. */
export interface Place {
  readonly path: string;
  readonly method: string;
  /** Whether the document is of OpenAPI 3.2 or later. */
  readonly hasItemSchema: boolean;
  readonly schemas: JsonSchemas;
}

/** Completes an endpoint's operation, and keeps everything that is there already. */
export function describedOperation(
  operation: Operation,
  facts: EndpointFacts,
  place: Place,
): Operation {
  const requestBody =
    operation.requestBody ?? (facts.requested && requestedBody(facts.requested, place.method));
  return {
    ...operation,
    ...(requestBody && { requestBody }),
    parameters: withParameters(operation.parameters ?? [], parametersOf(facts, place)),
    responses: withResponses(operation.responses ?? {}, responsesOf(facts, place), facts, place),
  };
}

/** The parameters of an endpoint: those of its path, and the position a client returns with. */
function parametersOf(
  { channels, placeholders, requested, takesTicket }: EndpointFacts,
  { path, method }: Place,
): Parameter[] {
  const inPath = [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => ({
    name: name!,
    in: 'path',
    required: true,
    ...(placeholders.includes(name!) && {
      description: `A part of the channel's name, \`${String(channels)}\`.`,
    }),
    schema: { type: 'string' },
  }));
  const ticket = {
    name: 'ticket',
    in: 'query',
    required: true,
    description: 'A one-time ticket for the channel.',
    schema: { type: 'string' },
  };
  return [
    ...inPath,
    ...(takesTicket ? [ticket] : []),
    ...(requested ? requestedParameters(requested, method) : []),
    {
      name: 'Last-Event-ID',
      in: 'header',
      required: false,
      description: 'The id of the last event that the client has. The stream goes on after it.',
      schema: { type: 'string' },
    },
    {
      name: 'lastEventId',
      in: 'query',
      required: false,
      description:
        'The same, for clients that cannot set the header, which counts if both are there. ' +
        '`earliest` asks for all events that are retained.',
      schema: { type: 'string' },
    },
  ];
}

/** The statuses beside a stream with which the module itself, or a guard, can answer. */
function responsesOf(facts: EndpointFacts, { path }: Place): Record<number, string> {
  const { channels, placeholders, hosts, isGuarded, expires } = facts;
  const isResolver = typeof channels === 'function' && !facts.requested;
  // An endpoint with several paths or hosts may have some without a parameter of the template.
  const isMissing = placeholders.some(
    (name) =>
      !path.includes(`{${name}}`) &&
      !(hosts.length > 0 && hosts.every((host) => host.includes(`:${name}`))),
  );
  const mayBeMissing = facts.isOptional && placeholders.length > 0;
  const refused = 'A guard has refused the request.';
  const unauthorized = [
    ...(isGuarded ? [refused] : []),
    ...(expires ? ['The permission for this stream has ended.'] : []),
  ];
  const forbidden = [
    ...(isGuarded ? [refused] : []),
    ...(facts.authorizes || facts.requested ? ['The client may read none of the channels.'] : []),
  ];
  return {
    ...(facts.canEnd && {
      204: 'The client has all events of a run that has ended. It need not return.',
    }),
    ...(isResolver && {
      400: 'A channel cannot have such a name, or there are too many channels.',
    }),
    ...(facts.requested && {
      400: 'The request names no channels, too many of them, or one that cannot be.',
    }),
    ...(placeholders.length > 0 && { 400: 'A channel cannot have such a name.' }),
    ...(unauthorized.length > 0 && { 401: unauthorized.join(' ') }),
    ...(forbidden.length > 0 && { 403: forbidden.join(' ') }),
    ...((isResolver || isMissing || mayBeMissing) && {
      404: 'There is no channel for this request.',
    }),
    ...(facts.takesTicket && { 503: 'Tickets cannot be checked at the moment.' }),
    ...(facts.isLimited && { 429: 'The client has too many open streams.' }),
  };
}

function withParameters(given: readonly Parameter[], ours: readonly Parameter[]): Parameter[] {
  const keyOf = ({ in: where, name }: Parameter): string =>
    // The names of headers ignore case.
    `${where} ${where === 'header' ? String(name).toLowerCase() : name}`;
  const known = new Set(given.map(keyOf));
  return [...given, ...ours.filter((parameter) => !known.has(keyOf(parameter)))];
}

function withResponses(
  given: Readonly<Record<string, Response>>,
  ours: Readonly<Record<number, string>>,
  facts: EndpointFacts,
  { method, hasItemSchema, schemas }: Place,
): Record<string, Response> {
  const { description, content, ...success } = given[facts.success] ?? {};
  return {
    ...Object.fromEntries(
      Object.entries(ours).map(([status, text]) => [status, { description: text }]),
    ),
    ...given,
    [facts.success]: {
      ...success,
      description: description === undefined || description === '' ? about(facts) : description,
      // The answer to HEAD has no body.
      ...(method === 'head'
        ? content && { content }
        : {
            content: contentOf(
              content,
              () => streamOf(facts, hasItemSchema, schemas),
              hasItemSchema,
            ),
          }),
    },
  };
}

/**
 * The content of a stream, unless the application describes it. Swagger writes a type without a content
 * type, such as that of `@ApiOkResponse({ type })`, as JSON, which a stream never is. We take it for
 * the type of the data.
 */
function contentOf(
  given: Record<string, MediaType> | undefined,
  stream: () => MediaType,
  hasItemSchema: boolean,
): Record<string, MediaType> {
  if (given && Object.keys(given).join() !== JSON_TYPE) {
    return given;
  }
  const { schema, ...rest } = given?.[JSON_TYPE] ?? {};
  // Its compiler plugin notes an Observable as any object.
  const isKnown = schema !== undefined && !(schema.type === 'object' && hasOneKey(schema));
  return {
    [STREAM]: isKnown ? { ...plainStream(hasItemSchema, schema), ...rest } : stream(),
  };
}

function streamOf(
  { definition, done }: EndpointFacts,
  hasItemSchema: boolean,
  schemas: JsonSchemas,
): MediaType {
  if (!definition) {
    return plainStream(hasItemSchema);
  }
  const { id, retry } = EVENT.properties!;
  return typedStream(schemas.of(definition), done, { id: id!, retry: retry! }, hasItemSchema);
}

/** Before OpenAPI 3.2 a stream can only be described as text, or by the schema of its data. */
function plainStream(hasItemSchema: boolean, data?: Schema): MediaType {
  if (!hasItemSchema) {
    return data ? { schema: data } : { schema: { type: 'string' }, example: EXAMPLE };
  }
  const itemSchema = structuredClone(EVENT);
  if (data) {
    const properties = itemSchema.properties!;
    properties['data'] = { type: 'string', contentMediaType: JSON_TYPE, contentSchema: data };
  }
  return { itemSchema };
}

function hasOneKey(value: object): boolean {
  return Object.keys(value).length === 1;
}

function about({ channels, placeholders, hosts, ...facts }: EndpointFacts): string {
  const what =
    typeof channels === 'string'
      ? `Events of the channel \`${channels}\``
      : channels
        ? `Events of the channels that the request ${facts.requested ? 'names' : 'may read'}`
        : 'Events';
  const inHost = placeholders.filter((name) => hosts.some((host) => host.includes(`:${name}`)));
  return [
    `${what}, as Server-Sent Events.`,
    ...inHost.map(
      (name) =>
        `\`{${name}}\` is a part of the host, \`${hosts.find((host) => host.includes(`:${name}`))}\`.`,
    ),
    facts.opensByEvent
      ? 'The first one is `sse:open`, whose id is the position of the client.'
      : '',
    '`sse:reset` tells that events may be missing.',
    facts.bringsState
      ? '`sse:snapshot` brings the state of a channel, to new clients and after each reset.'
      : '',
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}
