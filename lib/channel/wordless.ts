/**
 * What code of the application has thrown, without its words: they may hold data, as those of JSON.parse()
 * do, and loggers print the `cause` of an error. Its class and its stack's frames tell where it comes from.
 */
export function wordless(thrown: unknown): Error {
  const text = kindOfThrown(thrown);
  const error = new Error(text);
  error.stack = `Error: ${text}${framesOf(thrown)}`;
  return error;
}

const CLASSES = [RangeError, ReferenceError, SyntaxError, TypeError, URIError];

/** What was thrown, in words of ours: `a SyntaxError`, `an error`, `a value that is no error`. */
export function kindOfThrown(thrown: unknown): string {
  try {
    const known = CLASSES.find((each) => thrown instanceof each);
    if (known) {
      return `a ${known.name}`;
    }
    return thrown instanceof Error ? 'an error' : 'a value that is no error';
  } catch {
    // A proxy may throw.
    return 'a value that is no error';
  }
}

/** The frames of an error's stack; none where they cannot be told from its message. */
function framesOf(thrown: unknown): string {
  try {
    const { name, message, stack } = thrown as Error;
    const heads = [`${name}: ${message}`, ...(message === '' ? [name] : [])];
    const head = heads.find((each) => stack!.startsWith(`${each}\n    at `));
    return head === undefined ? '' : stack!.slice(head.length);
  } catch {
    return '';
  }
}
