// The browser tests need Chromium. Without one they are left out with a loud line, but never in CI.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

const chromium = process.env.CHROMIUM ?? onPath();
if (!chromium) {
  const text =
    'NO CHROMIUM FOUND: the browser tests did not run. Install it ' +
    '(apt-get install chromium) or name its program in the variable CHROMIUM.';
  console.error(`\n${'!'.repeat(100)}\n${text}\n${'!'.repeat(100)}\n`);
  process.exit(process.env.CI ? 1 : 0);
}
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    '--config=jest.browser.config.mjs',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: { ...process.env, CHROMIUM: chromium } },
);
process.exit(status ?? 1);

function onPath() {
  for (const name of NAMES) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
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
