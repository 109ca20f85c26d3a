import { Validator } from '@seriousme/openapi-schema-validator';
import { expect } from '@jest/globals';

/** What the tests read of a document. */
export interface OpenApi {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, OpenApiOperation>>;
}

export interface OpenApiOperation {
  readonly summary?: string;
  readonly parameters: readonly { name: string; in: string; description?: string }[];
  readonly requestBody?: {
    readonly content: Record<
      string,
      { readonly schema: { readonly required: string[]; readonly properties: object } }
    >;
  };
  readonly responses: Record<string, { description: string; content?: object }>;
}

/** Fails unless a document is valid by the JSON Schema of its version of OpenAPI. */
export async function expectValid(document: object): Promise<void> {
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as Record<string, unknown>,
  );
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
}

/** `in name` of each parameter. */
export function parametersOf({ parameters }: OpenApiOperation): string[] {
  return parameters.map(({ in: where, name }) => `${where} ${name}`);
}

export const POSITION = ['header Last-Event-ID', 'query lastEventId'];
