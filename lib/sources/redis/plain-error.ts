/**
 * Makes an error of `ioredis` safe to show and log. A command's error holds the arguments of the
 * command, such as a password or the text of events, and some servers quote them.
 */
export function plainError(error: unknown): Error {
  const given = error as IoredisError | null | undefined;
  if (typeof given?.message !== 'string') {
    return new Error(String(error));
  }
  const message = given.message.replace(QUOTED_ARGUMENTS, '');
  if (!given.command && given.lastNodeError === undefined && message === given.message) {
    return given;
  }
  // A Cluster's error without a command brings the error of the last node.
  const cause = given.lastNodeError === undefined ? undefined : plainError(given.lastNodeError);
  const plain = new Error(message, cause && { cause });
  Object.defineProperty(plain, 'name', { value: given.name, configurable: true, writable: true });
  plain.stack = `${given.name}: ${message}\n${framesOf(given.stack)}`;
  return given.code === undefined ? plain : Object.assign(plain, { code: given.code });
}

interface IoredisError extends Error {
  readonly code?: string;
  readonly command?: unknown;
  readonly lastNodeError?: unknown;
}

/** The end of a server's error for an unknown command. */
const QUOTED_ARGUMENTS = /, with args beginning with:[^]*$/;

function framesOf(stack = ''): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n');
}
