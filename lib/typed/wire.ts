/** What `JSON.parse()` gives a reader for a value that `JSON.stringify()` has written. */
type Parsed<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends { toJSON(): infer Written }
      ? Parsed<Written>
      : T extends bigint | symbol | ((...args: never[]) => unknown)
        ? never
        : { [Key in keyof T]: Parsed<T[Key]> };

/**
 * The data of an event as readers have it: text as it is, an object or array as JSON makes it, so
 * that a `Date` has become a string, and any other value as text, such as `'5'`.
 */
export type WireOf<T> = unknown extends T
  ? T
  : T extends string
    ? T
    : T extends number | boolean | null
      ? `${T}`
      : Parsed<T>;
