import type { INestApplicationContext } from '@nestjs/common';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { describedOperation, type Place } from './described-operation.js';
import { factsOf, globalGuardsOf } from './endpoint-facts.js';
import { JsonSchemas, type DescribeOptions } from './json-schemas.js';
import type { OpenApiDocument, Operation } from './open-api.js';
import { describedPublish, publishRoutesOf } from './publish-operation.js';

/** The metadata of `@ApiExtension()`, which Swagger copies into each operation of a handler. */
const API_EXTENSION = 'swagger/apiExtension';

/** Marks the operations of an endpoint while a document is made. */
const MARK = 'x-sse-channels-endpoint';

type Describe = (operation: Operation, place: Place) => Operation;

type PathItems = Record<string, Record<string, Operation>>;

/**
 * Describes the `@SseChannel()` endpoints in an OpenAPI document, and the routes of `SsePublishModule`: the parameters of their paths,
 * `Last-Event-ID` and `lastEventId`, the stream as `text/event-stream`, and the other statuses
 * that can come. In a document of OpenAPI 3.2 `itemSchema` describes an event. What decorators
 * such as `@ApiParam()`, `@ApiResponse()` and `@ApiOperation()` say of an endpoint stays.
 *
 * @param app the application, with all global guards
 * @param create makes the document, by `SwaggerModule.createDocument()`
 * @param options what makes JSON Schema of the schemas of `defineChannel()`, where they do not do it themselves
 * @returns what `create` returned, with the endpoints described
 * @throws SseError `NOT_CONFIGURED` when the application has no SseModule, `INVALID_OPTION` when
 * `create` gives no document
 *
 * @example
 * ```ts
 * const document = describeSseChannels(app, () => SwaggerModule.createDocument(app, config));
 * SwaggerModule.setup('api', app, document);
 * ```
 */
export function describeSseChannels<Document extends OpenApiDocument>(
  app: INestApplicationContext,
  create: () => Document,
  options: DescribeOptions = {},
): Document {
  checkOptions(options);
  if (typeof create !== 'function') {
    throw new SseError(
      'INVALID_OPTION',
      `describeSseChannels() is given ${shown(create)} in place of a function that makes the document. ` +
        'Write: describeSseChannels(app, () => SwaggerModule.createDocument(app, config)).',
    );
  }
  const described = new Map<object, Describe>();
  for (const [handler, facts] of factsOf(app)) {
    described.set(handler, (operation, place) => describedOperation(operation, facts, place));
  }
  for (const route of publishRoutesOf(app, globalGuardsOf(app))) {
    described.set(route.handler, (operation, place) => describedPublish(operation, route, place));
  }
  const document = marked([...described.keys()], create);
  if (typeof document?.openapi !== 'string' || typeof document.paths !== 'object') {
    throw new SseError(
      'INVALID_OPTION',
      `The function that describeSseChannels() is given returned ${shown(document)}; it must return ` +
        'what SwaggerModule.createDocument() gives.',
    );
  }
  const hasItemSchema = isOpenApi32(document.openapi);
  const schemas = new JsonSchemas(document, options.toJsonSchema);
  for (const items of [document.paths, document.webhooks ?? {}] as PathItems[]) {
    describeItems(items, [...described.values()], { hasItemSchema, schemas });
  }
  return document;
}

/** @throws SseError `INVALID_OPTION` */
function checkOptions(options: DescribeOptions): void {
  const { toJsonSchema, ...others } = options ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined || (toJsonSchema !== undefined && typeof toJsonSchema !== 'function')) {
    throw new SseError(
      'INVALID_OPTION',
      `describeSseChannels(): ${unknown === undefined ? `\`toJsonSchema\` is ${shown(toJsonSchema)}` : `there is no option \`${unknown}\``}. ` +
        'There is: toJsonSchema, a function that makes JSON Schema of a schema, such as z.toJSONSchema.',
    );
  }
}

function describeItems(
  items: PathItems,
  describe: readonly Describe[],
  document: Pick<Place, 'hasItemSchema' | 'schemas'>,
): void {
  for (const [path, item] of Object.entries(items)) {
    for (const [method, marker] of Object.entries(item)) {
      if (typeof marker?.[MARK] === 'number') {
        const { [MARK]: index, ...operation } = marker;
        const place = { path, method, ...document };
        item[method] = describe[index as number]!(operation, place);
      }
    }
  }
}

/**
 * Makes a document in which each operation carries the number of its handler: paths and operation ids
 * depend on prefixes, versions and options that only Swagger knows.
 */
function marked<Document>(handlers: readonly object[], create: () => Document): Document {
  const before = handlers.map(
    (handler) => Reflect.getOwnMetadata(API_EXTENSION, handler) as object | undefined,
  );
  try {
    handlers.forEach((handler, index) =>
      Reflect.defineMetadata(API_EXTENSION, { ...before[index], [MARK]: index }, handler),
    );
    return create();
  } finally {
    handlers.forEach((handler, index) => {
      if (before[index] === undefined) {
        Reflect.deleteMetadata(API_EXTENSION, handler);
      } else {
        Reflect.defineMetadata(API_EXTENSION, before[index], handler);
      }
    });
  }
}

function isOpenApi32(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 2);
}
