#!/usr/bin/env node
import { runCli } from './cli/run-cli.js';

const { code, output, errors } = runCli(process.argv.slice(2));
process.stdout.write(output);
process.stderr.write(errors);
process.exitCode = code;
