/**
 * A schema of the Standard Schema interface, which zod, valibot, arktype and others have.
 * https://standardschema.dev
 *
 * @typeParam Input the values that the schema takes
 * @typeParam Output what it makes of them, with defaults filled in, and so on
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': StandardSchemaProps<Input, Output>;
}

export interface StandardSchemaProps<Input = unknown, Output = Input> {
  readonly version: 1;
  /** The library of the schema. */
  readonly vendor: string;
  /** Checks a value. A promise of a result is what asynchronous schemas return. */
  readonly validate: (
    value: unknown,
  ) => StandardResult<Output> | PromiseLike<StandardResult<Output>>;
  /** For the compiler only. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** Why a value does not fit. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Any schema. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnySchema = StandardSchema<any, any>;

/** The values that a schema takes. */
export type InputOf<Schema extends AnySchema> = NonNullable<Schema['~standard']['types']>['input'];

/** What a schema makes of the values that it takes. */
export type OutputOf<Schema extends AnySchema> = NonNullable<
  Schema['~standard']['types']
>['output'];

export function isSchema(value: unknown): value is AnySchema {
  const isContainer = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isContainer && typeof (value as AnySchema)['~standard']?.validate === 'function';
}

const UNCHECKED: AnySchema = {
  '~standard': {
    version: 1,
    vendor: 'nestjs-sse-channels',
    validate: (value) => ({ value }),
  },
};

/**
 * A type without a schema: the compiler checks the data of an event, and nothing does when the
 * application runs.
 *
 * @example
 * ```ts
 * defineChannel('job:{id}', { progress: unchecked<{ percent: number }>() });
 * ```
 */
export function unchecked<Data>(): StandardSchema<Data> {
  return UNCHECKED;
}

/** Whether a schema is that of `unchecked()`, which takes everything. */
export function isUnchecked(schema: AnySchema): boolean {
  return schema === UNCHECKED;
}
