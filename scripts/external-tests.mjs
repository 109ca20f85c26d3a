// Runs tests that need a program which does not come from npm. Without it they are left out with
// a loud line, but never in CI.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @param {object} tests
 * @param {string} tests.title what is missing, for people
 * @param {string} tests.variable the environment variable that may name the program
 * @param {string[]} tests.names what the program is called
 * @param {string} tests.package Debian's package
 * @param {string} tests.config Jest's configuration
 */
export function runExternalTests({ title, variable, names, package: name, config }) {
  const program = process.env[variable] ?? onPath(names);
  if (!program) {
    const text =
      `NO ${title.toUpperCase()} FOUND: its tests did not run. Install it ` +
      `(apt-get install ${name}) or name its program in the variable ${variable}.`;
    console.error(`\n${'!'.repeat(100)}\n${text}\n${'!'.repeat(100)}\n`);
    process.exit(process.env.CI ? 1 : 0);
  }
  const { status } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      `--config=${config}`,
      ...process.argv.slice(2),
    ],
    { stdio: 'inherit', env: { ...process.env, [variable]: program } },
  );
  process.exit(status ?? 1);
}

function onPath(names) {
  // Debian has programs of servers in a folder that is on the administrator's path only.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  for (const name of names) {
    for (const folder of folders) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not here: the next folder.
      }
    }
  }
  return undefined;
}
