/**
 * The kinds of what feeds a channel.
 *
 * - `memory`, `redis`, `event-table`: the brokers of the package
 * - `cache`, `postgres`: `source: 'cache'` and `source: 'postgres'`
 * - `poll`: `sse.poll()`
 * - `run`: the runs that `sse.run()` begins
 * - `custom`: a source or broker of the application
 */
export const SOURCE_KINDS = [
  'memory',
  'redis',
  'event-table',
  'cache',
  'postgres',
  'poll',
  'run',
  'custom',
] as const;

export type SourceKind = (typeof SOURCE_KINDS)[number];

const kinds = new WeakMap<object, SourceKind>();

/** Notes the kind of a source, and returns the source. */
export function ofKind<S extends object>(kind: SourceKind, source: S): S {
  kinds.set(source, kind);
  return source;
}

/** The kind of a source; `custom` for one that the package does not know. */
export function sourceKindOf(source: object): SourceKind {
  return kinds.get(source) ?? 'custom';
}
