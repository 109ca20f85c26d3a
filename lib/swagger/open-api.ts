/**
 * The parts of an OpenAPI document that describe an endpoint. Those of `@nestjs/swagger` fit, of
 * whatever version; its own types lack what OpenAPI 3.2 has added.
 */

/** An OpenAPI document, such as `SwaggerModule.createDocument()` gives. */
export interface OpenApiDocument {
  /** The version of OpenAPI, such as `3.1.0`. */
  openapi: string;
  /** The operations, by path and method. */
  paths: object;
  /** The operations of `@ApiWebhook()`, by name and method. */
  webhooks?: object;
  /** What operations refer to. */
  components?: object;
}

export interface Schema {
  type?: string;
  /** What kind of text a string is, and what is in it. */
  contentMediaType?: string;
  contentSchema?: Schema;
  description?: string;
  minimum?: number;
  maxItems?: number;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  enum?: readonly string[];
  required?: string[];
  properties?: Record<string, Schema>;
  anyOf?: readonly Schema[];
  $ref?: string;
}

export interface MediaType {
  schema?: Schema;
  /** What each item of a stream is, since OpenAPI 3.2. */
  itemSchema?: Schema;
  example?: string;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

export interface Response {
  description?: string;
  headers?: Record<string, { description?: string; schema?: Schema }>;
  content?: Record<string, MediaType>;
}

export interface RequestBody {
  description?: string;
  required?: boolean;
  content: Record<string, MediaType>;
}

export interface Operation {
  summary?: string;
  parameters?: Parameter[];
  requestBody?: RequestBody;
  responses?: Record<string, Response>;
  [extension: `x-${string}`]: unknown;
}
