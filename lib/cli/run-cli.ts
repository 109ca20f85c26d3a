import { readFileSync } from 'node:fs';
import { SseError } from '../channel/sse-error.js';
import { sqlCommand } from './sql-command.js';
import { UsageError } from './usage-error.js';

const USAGE = `Usage: nestjs-sse-channels <command> [options]

Commands:
  sql         print the SQL that creates or removes a trigger, or the Postgres event table

Options:
  --version   print the version of the package

nestjs-sse-channels <command> --help says more.
`;

export interface CliResult {
  readonly code: 0 | 1;
  readonly output: string;
  readonly errors: string;
}

/** Runs the command line. A mistake of the user's becomes a line in `errors`. */
export function runCli(args: readonly string[]): CliResult {
  const [command, ...rest] = args;
  try {
    switch (command) {
      case 'sql':
        return printed(sqlCommand(rest));
      case '--help':
      case '-h':
      case 'help':
        return printed(USAGE);
      case '--version':
      case '-v':
        return printed(`${packageVersion()}\n`);
      case undefined:
        throw new UsageError('A command is missing. Give sql.');
      default:
        throw new UsageError(`There is no command ${JSON.stringify(command)}.`);
    }
  } catch (error) {
    if (error instanceof SseError) {
      return failed(error.message);
    }
    if (error instanceof UsageError || isArgumentError(error)) {
      const help =
        command === 'sql' ? 'nestjs-sse-channels sql --help' : 'nestjs-sse-channels --help';
      // Node ends some of its messages without a full stop.
      const message = error.message.replaceAll(/\s*\n\s*/g, ' ').replace(/(?<!\.)$/, '.');
      return failed(`${message} See: ${help}`);
    }
    throw error;
  }
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Whether `parseArgs` has refused an unknown option or a missing value. */
function isArgumentError(error: unknown): error is Error {
  return String((error as NodeJS.ErrnoException | null)?.code).startsWith('ERR_PARSE_ARGS_');
}

function printed(output: string): CliResult {
  return { code: 0, output, errors: '' };
}

function failed(message: string): CliResult {
  return { code: 1, output: '', errors: `nestjs-sse-channels: ${message}\n` };
}
