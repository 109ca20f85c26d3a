import type { AnySchema } from './standard-schema.js';

/** The most parts of a schema that are searched, and the most characters of a name. */
const MOST_PARTS = 2_000;
const MOST_CHARACTERS = 80;

/** Where libraries keep the parts of a schema; everything else may be of the application. */
const PARTS = // zod 4 and 3
  (
    '_zod def _def innerType element in out options items left right valueType keyType rest catchall schema type ' +
    // valibot
    'wrapped item pipe key value ' +
    // arktype, as JSON
    'required optional sequence index branches prefix variadic postfix domain signature'
  ).split(' ');

const LIBRARIES: ReadonlySet<string> = new Set(['zod', 'valibot', 'arktype']);

const found = new WeakMap<AnySchema, ReadonlySet<string>>();

/**
 * The names of fields in a schema of zod, valibot or arktype, at any depth. Such a name is the
 * application's own word, and no data. Schemas of other libraries, and what a schema only makes when it
 * is called, have none.
 */
export function fieldNames(schema: AnySchema): ReadonlySet<string> {
  let names = found.get(schema);
  if (!names) {
    found.set(schema, (names = namesIn(schema)));
  }
  return names;
}

function namesIn(schema: AnySchema): ReadonlySet<string> {
  const names = new Set<string>();
  const add = (name: unknown): void => {
    if (typeof name === 'string' && name.length <= MOST_CHARACTERS) {
      names.add(name);
    }
  };
  // A part is seen once; those that are added while the loop runs come up in it.
  const parts = new Set<object>();
  const visit = (part: unknown): void => {
    if (isContainer(part) && parts.size < MOST_PARTS) {
      parts.add(part);
    }
  };
  const { vendor } = schema['~standard'];
  if (LIBRARIES.has(vendor)) {
    visit(vendor === 'arktype' ? read(schema, 'json') : schema);
  }
  for (const part of parts) {
    if (Array.isArray(part)) {
      part.slice(0, MOST_PARTS).forEach(visit);
      continue;
    }
    for (const fields of [read(part, 'shape'), read(part, 'entries')]) {
      if (isContainer(fields) && typeof fields !== 'function' && !Array.isArray(fields)) {
        for (const name of Object.keys(fields)) {
          add(name);
          visit(read(fields, name));
        }
      }
    }
    add(read(part, 'key'));
    PARTS.forEach((name) => visit(read(part, name)));
  }
  return names;
}

/** zod makes some parts when they are read, by code of the application's that may throw. */
function read(container: object, key: string): unknown {
  try {
    return (container as Readonly<Record<string, unknown>>)[key];
  } catch {
    return undefined;
  }
}

function isContainer(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
