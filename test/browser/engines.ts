import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** A browser of this machine. */
export interface Engine {
  readonly name: string;
  /**
   * Starts it on a page, with a fresh profile and without a window on the user's screen.
   * What it returns ends it.
   */
  start(url: string): Promise<() => Promise<void>>;
}

/** Processes in the order in which they are to end. */
type Processes = readonly ChildProcess[];
type Start = (program: string, profile: string, url: string) => Promise<Processes>;

/** Chromium's flags for a test: no window, no traffic of its own. */
export const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
] as const;

const startChromium: Start = async (program, profile, url) => [
  run(program, [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`, url]),
];

/** The same for Firefox: it asks and updates nothing by itself. */
const FIREFOX_PREFERENCES: Readonly<Record<string, boolean | string>> = {
  'app.normandy.enabled': false,
  'app.update.enabled': false,
  'browser.aboutwelcome.enabled': false,
  'browser.safebrowsing.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.update.enabled': false,
  'media.gmp-manager.updateEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,',
  'startup.homepage_welcome_url': '',
  'toolkit.telemetry.enabled': false,
};

/** The content of `user.js` in the profile of a Firefox. */
export function firefoxPreferences(more: Readonly<Record<string, boolean | number>> = {}): string {
  return Object.entries({ ...FIREFOX_PREFERENCES, ...more })
    .map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`)
    .join('');
}

const startFirefox: Start = async (program, profile, url) => {
  await writeFile(join(profile, 'user.js'), firefoxPreferences());
  return [run(program, ['--headless', '--no-remote', '--profile', profile, url])];
};

/** WebKitGTK's own small browser has no headless mode: it gets a screen that nobody sees. */
const startWebKit: Start = async (program, profile, url) => {
  const screen = run(process.env['XVFB']!, ['-displayfd', '3', '-nolisten', 'tcp']);
  const [display] = (await once(screen.stdio[3] as Readable, 'data')) as [Buffer];
  const browser = run(program, ['--private', url], {
    DISPLAY: `:${display.toString().trim()}`,
    GDK_BACKEND: 'x11',
    LIBGL_ALWAYS_SOFTWARE: '1',
    WEBKIT_DISABLE_COMPOSITING_MODE: '1',
    XDG_CACHE_HOME: profile,
    XDG_CONFIG_HOME: profile,
    XDG_DATA_HOME: profile,
  });
  return [browser, screen];
};

function run(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): ChildProcess {
  return spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
}

async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const exit = once(running, 'exit');
  running.kill('SIGKILL');
  await exit;
}

function engine(name: string, program: string | undefined, launch: Start): Engine[] {
  if (program === undefined) return [];
  const start: Engine['start'] = async (url) => {
    const profile = await mkdtemp(join(tmpdir(), 'sse-browser-'));
    const processes = await launch(program, profile, url);
    return async () => {
      for (const running of processes) await end(running);
      // Processes that the browser had started still write to it for a moment.
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    };
  };
  return [{ name, start }];
}

/** The browsers that `npm run test:browser` has found. */
export const ENGINES: readonly Engine[] = [
  ...engine('Chromium', process.env['CHROMIUM'], startChromium),
  ...engine('Firefox', process.env['FIREFOX'], startFirefox),
  ...engine('WebKit', process.env['XVFB'] && process.env['WEBKIT'], startWebKit),
];
