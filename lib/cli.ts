#!/usr/bin/env node
import { processStreams } from './cli/command-streams.js';
import { LASTING, runLasting } from './cli/run-lasting.js';
import { runCli } from './cli/run-cli.js';

const args = process.argv.slice(2);

if (LASTING.has(args[0]!)) {
  const code = await runLasting(args, processStreams());
  // Connections that are kept for more requests would keep the process.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
} else {
  const { code, output, errors } = runCli(args);
  process.stdout.write(output);
  process.stderr.write(errors);
  process.exitCode = code;
}
