import { readFileSync } from 'node:fs';
import { SseError } from '../channel/sse-error.js';
import { mistakeOf } from './mistake.js';
import { sqlCommand } from './sql-command.js';
import { UsageError } from './usage-error.js';

const USAGE = `Usage: nestjs-sse-channels <command> [options]

Commands:
  listen      print the events of a stream as they come, and return when the connection is lost
  publish     publish events to an endpoint of SsePublishModule
  sql         print the SQL that creates or removes a trigger, or the Postgres event table

Options:
  --version   print the version of the package

nestjs-sse-channels <command> --help says more.
`;

export interface CliResult {
  /** 2: the arguments are wrong. */
  readonly code: 0 | 2;
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
        throw new UsageError('A command is missing. Give listen, publish or sql.');
      default:
        throw new UsageError(`There is no command ${JSON.stringify(command)}.`);
    }
  } catch (error) {
    if (error instanceof SseError) {
      return failed(error.message);
    }
    const mistake = mistakeOf(error, command === 'sql' ? command : undefined);
    if (mistake !== undefined) {
      return { code: 2, output: '', errors: mistake };
    }
    throw error;
  }
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function printed(output: string): CliResult {
  return { code: 0, output, errors: '' };
}

function failed(message: string): CliResult {
  return { code: 2, output: '', errors: `nestjs-sse-channels: ${message}\n` };
}
