import { plain } from '../channel/plain-text.js';
import { UsageError } from './usage-error.js';

/**
 * The line about wrong arguments.
 * @param command the command whose arguments they are, if it is known
 * @returns `undefined` for another error
 */
export function mistakeOf(error: unknown, command: string | undefined): string | undefined {
  if (!(error instanceof UsageError) && !isArgumentError(error)) {
    return undefined;
  }
  const help = `nestjs-sse-channels ${command === undefined ? '' : `${command} `}--help`;
  // Node ends some of its messages without a full stop.
  const message = plain(error.message.replaceAll(/\s*\n\s*/g, ' ')).replace(/(?<!\.)$/, '.');
  return `nestjs-sse-channels: ${message} See: ${help}\n`;
}

/** Whether `parseArgs` has refused an unknown option or a missing value. */
function isArgumentError(error: unknown): error is Error {
  return String((error as NodeJS.ErrnoException | null)?.code).startsWith('ERR_PARSE_ARGS_');
}
