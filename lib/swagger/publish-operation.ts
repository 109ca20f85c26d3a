import type { INestApplicationContext, Type } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { guardsOf } from '../endpoint/sse-ticket.guard.js';
import {
  publishHandlerOf,
  type PublishFacts,
  type PublishingController,
} from '../publish/publish-facts.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import type { Place } from './described-operation.js';
import type { JsonSchemas } from './json-schemas.js';
import type { Operation, Parameter, Response, Schema } from './open-api.js';

/** The event without a type, as definitions call it. */
const UNNAMED = 'message';

const JSON_TYPE = 'application/json';

/** A route of `SsePublishModule`. */
export interface PublishRoute extends PublishFacts {
  readonly handler: object;
  /** Whether a guard decides about the request. */
  readonly isGuarded: boolean;
}

/** The routes of the application that publish. */
export function publishRoutesOf(
  app: INestApplicationContext,
  guardsOfAll: readonly unknown[],
): PublishRoute[] {
  const modules = app.get(ModulesContainer, { strict: false });
  return [...modules.values()].flatMap(({ controllers }) =>
    [...controllers.values()].flatMap(({ metatype, instance }) => {
      const handler = metatype && publishHandlerOf(metatype);
      if (!handler) {
        return [];
      }
      const { facts } = (instance as PublishingController).publisher;
      const isGuarded = guardsOfAll.length > 0 || guardsOf(metatype as Type).length > 0;
      return [{ ...facts, handler, isGuarded }];
    }),
  );
}

/** Describes a route that publishes. */
export function describedPublish(
  operation: Operation,
  route: PublishRoute,
  { path, schemas }: Place,
): Operation {
  const event = eventOf(route, schemas);
  const { mostEvents } = route;
  const list: Schema = {
    type: 'object',
    required: ['events'],
    properties: { events: { type: 'array', maxItems: mostEvents, items: event } },
    additionalProperties: false,
  };
  const schema: Schema = { anyOf: [...(event.anyOf ?? [event]), list] };
  return {
    ...operation,
    summary: operation.summary || 'Publishes events',
    parameters: [...inPath(path), IDEMPOTENCY_KEY],
    requestBody: {
      required: true,
      description: 'One event, or several.',
      content: { [JSON_TYPE]: { schema } },
    },
    responses: responsesOf(route),
  };
}

const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Makes it safe to send the request again: the `idempotencyKey` of its event. Of several, each without ' +
    'a key of its own has this one with `:` and its place.',
  schema: { type: 'string' },
};

function inPath(path: string): Parameter[] {
  return [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => ({
    name: name!,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

/** An event as a request has it. */
function eventOf({ channels }: PublishFacts, schemas: JsonSchemas): Schema {
  const plain = channels?.filter(({ definition }) => !definition).map(({ text }) => text);
  const definitions = (channels ?? []).flatMap(({ definition }) => definition ?? []);
  const kinds = [
    ...(plain === undefined || plain.length > 0 ? [plainEvent(plain)] : []),
    ...definitions.flatMap((definition) => typedEvents(definition, schemas)),
  ];
  return kinds.length === 1 ? kinds[0]! : { anyOf: kinds };
}

const FIELDS: Record<string, Schema> = {
  id: { type: 'string', description: 'An id in place of the position.' },
  retry: {
    type: 'integer',
    minimum: 0,
    description: 'After how many milliseconds a disconnected client returns.',
  },
  idempotencyKey: { type: 'string', description: 'Makes it safe to send the event again.' },
};

function plainEvent(names: readonly string[] | undefined): Schema {
  const description = names
    ? `The channel: ${names.map((name) => `\`${name}\``).join(', ')}.`
    : 'The name of a channel.';
  return {
    type: 'object',
    required: ['channel', 'data'],
    properties: {
      channel: { type: 'string', description },
      data: { description: 'Text goes out as it is, everything else as JSON.' },
      type: { type: 'string', description: 'The name of the event. None: `message`.' },
      ...FIELDS,
    },
    additionalProperties: false,
  };
}

function typedEvents(definition: ChannelDefinition, schemas: JsonSchemas): Schema[] {
  const { template } = definition;
  return Object.entries(schemas.of(definition, 'input')).map(([type, data]) => ({
    type: 'object',
    required: ['channel', 'data', ...(type === UNNAMED ? [] : ['type'])],
    properties: {
      channel: template.includes('{')
        ? { type: 'string', description: `A channel of \`${template}\`.` }
        : { type: 'string', enum: [template] },
      type: { type: 'string', enum: [type] },
      data,
      ...FIELDS,
    },
    additionalProperties: false,
  }));
}

const FAULT: Schema = {
  type: 'object',
  required: ['statusCode', 'message'],
  properties: {
    statusCode: { type: 'integer' },
    code: { type: 'string', description: 'The code of the error, for programs.' },
    message: { type: 'string' },
    help: { type: 'string', description: 'The address of the page about errors of this code.' },
    issues: {
      type: 'array',
      description: 'Where the data does not fit, and why.',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

const SENT: Record<string, Schema> = {
  id: { type: 'string', description: "The event's id." },
  duplicate: {
    type: 'boolean',
    description: 'Whether an event with this key was there already; the id is that one’s.',
  },
};

const RESULTS: Schema = {
  type: 'object',
  required: ['results'],
  properties: {
    results: {
      type: 'array',
      items: {
        anyOf: [
          {
            type: 'object',
            required: ['status', 'id', 'duplicate'],
            properties: { status: { type: 'string', enum: ['sent'] }, ...SENT },
          },
          {
            type: 'object',
            required: ['status', 'error'],
            properties: { status: { type: 'string', enum: ['failed'] }, error: FAULT },
          },
        ],
      },
    },
  },
};

function responsesOf({ channels, authorizes, ...route }: PublishRoute): Record<string, Response> {
  const ofOne: Schema = { type: 'object', required: ['id', 'duplicate'], properties: SENT };
  const refused = 'A guard has refused the request.';
  const forbidden = [
    ...(route.isGuarded ? [refused] : []),
    ...(channels || authorizes ? ['The caller may not publish to the channel.'] : []),
  ];
  const later = { headers: { 'Retry-After': RETRY_AFTER } };
  const all: Record<string, Response> = {
    200: json('Every event is sent.', { anyOf: [ofOne, RESULTS] }),
    207: json('Of several events, some are not sent.', RESULTS),
    400: fault('An event cannot be sent as it is.'),
    ...(route.isGuarded && { 401: { description: refused } }),
    ...(forbidden.length > 0 && { 403: fault(forbidden.join(' ')) }),
    413: fault('An event or the body is too large, or the request has too many events.'),
    415: fault('The body is not JSON.'),
    ...(route.isLimited && { 429: { ...fault('The caller publishes too much.'), ...later } }),
    503: { ...fault('The events could not be sent at the moment.'), ...later },
  };
  return all;
}

const RETRY_AFTER = {
  description: 'After how many seconds the request may be sent again.',
  schema: { type: 'integer' } satisfies Schema,
};

/** The answer to one event; where none of several is sent, there are `results`. */
function fault(description: string): Response {
  return json(description, { anyOf: [FAULT, RESULTS] });
}

function json(description: string, schema: Schema): Response {
  return { description, content: { [JSON_TYPE]: { schema: structuredClone(schema) } } };
}
