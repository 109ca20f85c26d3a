// Runs tests that need programs which do not come from npm. What needs a program that is not
// there is left out with a loud line; in CI that is an error, unless the program is optional.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @typedef {object} Program
 * @property {string} title what is missing, for people
 * @property {string} variable the environment variable that may name the program
 * @property {string[]} names what the program is called
 * @property {string} package Debian's package
 * @property {boolean} [isOptional] whether CI may lack it
 */
/**
 * @param {object} tests
 * @param {Program[]} tests.programs of which any one is enough for some of the tests
 * @param {string} tests.config Jest's configuration
 */
export function runExternalTests({ programs, config }) {
  const found = {};
  const missing = [];
  for (const program of programs) {
    const path = process.env[program.variable] || onPath(program.names);
    if (path) found[program.variable] = path;
    else missing.push(program);
  }
  for (const { title, package: name, variable } of missing) {
    const text =
      `NO ${title.toUpperCase()} FOUND: its tests did not run. Install it ` +
      `(apt-get install ${name}) or name its program in the variable ${variable}.`;
    console.error(`\n${'!'.repeat(100)}\n${text}\n${'!'.repeat(100)}\n`);
  }
  const isIncomplete = process.env.CI && missing.some(({ isOptional }) => !isOptional);
  if (isIncomplete || missing.length === programs.length) {
    process.exit(isIncomplete ? 1 : 0);
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
    { stdio: 'inherit', env: { ...process.env, ...found } },
  );
  process.exit(status ?? 1);
}

function onPath(names) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...otherFolders()];
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

/** Where Debian has programs beside the path: servers, and WebKitGTK's own small browser. */
function otherFolders() {
  const libraries = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  return [
    '/usr/sbin',
    ...libraries
      .filter((name) => name.endsWith('-linux-gnu'))
      .map((name) => join('/usr/lib', name, 'webkit2gtk-4.1')),
  ];
}
