import type { ChannelDefinition } from '../typed/channel-definition.js';
import type { AnySchema } from '../typed/standard-schema.js';
import type { OpenApiDocument, Schema } from './open-api.js';

/** Options of `describeSseChannels()`. */
export interface DescribeOptions {
  /**
   * Makes JSON Schema of a schema in `defineChannel()`, such as `z.toJSONSchema` or `toJsonSchema` of `@valibot/to-json-schema`. It is
   * called with the schema and `{ target, io: 'output', typeMode: 'output' }`, or `'input'` for what is published over HTTP, where the target is `draft-2020-12`, or `openapi-3.0` for a
   * document of that version. Where it throws, the schema's own converter is asked. Default: none.
   */
  // Converters of libraries take their own schemas only.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly toJsonSchema?: (schema: any, options?: any) => object;
}

/** https://standardschema.dev/json-schema */
type Converter = (options: { readonly target: string }) => object;

/** Whether a schema is of what clients receive, or of what publishers give. */
type Side = 'output' | 'input';

/** A reference within a schema. In a document it would be looked for from the document's beginning. */
const LOCAL = /^#(\/(\$defs|definitions)\/(.+))?$/;

/** Makes JSON Schemas of the events of definitions, each once for a document. */
export class JsonSchemas {
  private readonly known = {
    output: new Map<ChannelDefinition, Readonly<Record<string, Schema>>>(),
    input: new Map<ChannelDefinition, Readonly<Record<string, Schema>>>(),
  };
  private readonly target: 'draft-2020-12' | 'openapi-3.0';

  constructor(
    private readonly document: OpenApiDocument,
    private readonly toJsonSchema: DescribeOptions['toJsonSchema'],
  ) {
    this.target = document.openapi.startsWith('3.0') ? 'openapi-3.0' : 'draft-2020-12';
  }

  /** The schema of each event's data by its type; an empty one, which fits everything, where nobody can tell. */
  of(definition: ChannelDefinition, side: Side = 'output'): Readonly<Record<string, Schema>> {
    const ofSide = side === 'input' ? '.input' : '';
    let schemas = this.known[side].get(definition);
    if (!schemas) {
      const entries = Object.entries(definition.events).map(([type, schema]) => [
        type,
        this.withoutLocals(this.converted(schema, side), `${definition.template}.${type}${ofSide}`),
      ]);
      schemas = Object.fromEntries(entries) as Record<string, Schema>;
      this.known[side].set(definition, schemas);
    }
    return schemas;
  }

  private converted(schema: AnySchema, side: Side): Schema {
    const { target, toJsonSchema } = this;
    const own = (schema['~standard'] as { jsonSchema?: Partial<Record<Side, Converter>> })
      .jsonSchema;
    const options = { target, io: side, typeMode: side };
    const converters = [() => toJsonSchema?.(schema, options), () => own?.[side]?.({ target })];
    for (const convert of converters) {
      try {
        const result: unknown = convert();
        if (typeof result === 'object' && result !== null) {
          const { $schema: _dialect, ...rest } = result as Record<string, unknown>;
          return rest;
        }
      } catch {
        // Of another library, or JSON Schema cannot express it.
      }
    }
    return {};
  }

  /** Moves what a schema refers to within itself to the components of the document. */
  private withoutLocals(schema: Schema, of: string): Schema {
    const { $defs, definitions, ...rest } = schema as Record<string, object | undefined>;
    const prefix = of.replaceAll(/[^A-Za-z0-9.\-_]+/g, '_');
    let refersToWhole = false;
    const moved = (value: unknown): unknown => {
      if (Array.isArray(value)) {
        return value.map(moved);
      }
      if (typeof value !== 'object' || value === null) {
        return value;
      }
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => {
          const local = key === '$ref' && typeof inner === 'string' && LOCAL.exec(inner);
          if (!local) {
            return [key, moved(inner)];
          }
          refersToWhole ||= local[3] === undefined;
          return [key, reference(local[3] === undefined ? prefix : `${prefix}.${local[3]}`)];
        }),
      );
    };
    const whole = moved(rest) as Schema;
    for (const [name, inner] of Object.entries({ ...definitions, ...$defs })) {
      this.component(`${prefix}.${name}`, moved(inner));
    }
    if (refersToWhole) {
      this.component(prefix, whole);
      return { $ref: reference(prefix) };
    }
    return whole;
  }

  private component(name: string, schema: unknown): void {
    const components = (this.document.components ??= {}) as { schemas?: Record<string, unknown> };
    (components.schemas ??= {})[name] = schema;
  }
}

function reference(name: string): string {
  return `#/components/schemas/${name}`;
}
