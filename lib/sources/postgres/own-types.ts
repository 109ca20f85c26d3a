/** Reads a value of one Postgres type from its text. */
type TextParser = (text: string) => unknown;

/** Parsers of the types that our statements return, by oid. Values of other types stay text. */
const TEXT_PARSERS: ReadonlyMap<number, TextParser> = new Map<number, TextParser>([
  [16, (text) => text === 't'], // boolean
  [21, Number], // smallint
  [23, Number], // integer
  [26, Number], // oid
  [700, Number], // real
  [701, Number], // double precision
  [1003, textsOf], // name[]
  [1009, textsOf], // text[]
]);

/** The same for applications that set `pg.defaults.binary`. */
const BINARY_PARSERS: ReadonlyMap<number, (bytes: Buffer) => unknown> = new Map<
  number,
  (bytes: Buffer) => unknown
>([
  [16, (bytes) => bytes[0] === 1],
  [20, (bytes) => bytes.readBigInt64BE().toString()], // bigint
  [23, (bytes) => bytes.readInt32BE()],
]);

/**
 * The option `types` of `pg` for our own statements.
 *
 * Without it, `pg` uses the parsers of the whole process, and an application may have replaced
 * these by `pg.types.setTypeParser()`, with a number class or a date library.
 */
export const OWN_TYPES = {
  getTypeParser(oid: number, format: 'text' | 'binary' = 'text'): (value: never) => unknown {
    return format === 'binary'
      ? (BINARY_PARSERS.get(oid) ?? ((bytes: Buffer) => bytes.toString()))
      : (TEXT_PARSERS.get(oid) ?? ((text: string) => text));
  },
};

/** An element of an array: in quotes, or bare. */
const ELEMENT = /"((?:[^"\\]|\\.)*)"|([^{},"]+)/gs;

/** Reads an array of texts, such as `{a,"b c",NULL}`. */
function textsOf(text: string): (string | null)[] {
  return Array.from(text.matchAll(ELEMENT), ([, quoted, bare]) => {
    if (quoted !== undefined) {
      return quoted.replace(/\\(.)/gs, '$1');
    }
    return bare === 'NULL' ? null : bare!;
  });
}
