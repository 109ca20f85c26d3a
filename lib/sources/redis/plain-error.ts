/**
 * An error of `ioredis` that can be shown and logged. Those of commands hold all that the command
 * was given, such as a password or the text of events, and some servers quote it.
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
  // Of the Cluster's last node, where there is none of a command.
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

/** How servers go on after the name of a command that they do not know. */
const QUOTED_ARGUMENTS = /, with args beginning with:[^]*$/;

function framesOf(stack = ''): string {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .join('\n');
}
