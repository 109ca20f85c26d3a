import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'undici';
import { until } from '../../support/until.js';
import { CHROMIUM_FLAGS } from '../engines.js';
import { processOfPage } from './tab-process.js';
import type { BrowserTab, TabBrowser } from './tab.js';

/** An answer, or an event: https://chromedevtools.github.io/devtools-protocol/ */
interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** How a Chromium starts. */
export interface ChromiumOptions {
  readonly flags?: readonly string[];
  /** It has its pages for those who work on Chromium, such as the one that discards tabs. */
  readonly hasInternalPages?: boolean;
  /** What is in the file `Preferences` of its profile. */
  readonly preferences?: object;
  /** All tabs are those of a private window, "incognito". */
  readonly isPrivate?: boolean;
}

/**
 * Chromium as a user has it: one tab is seen, the others are in the background, where the browser slows
 * them down and may freeze them. Playwright would keep all of them awake.
 */
export class Chromium implements TabBrowser<ChromiumTab> {
  private count = 0;
  private readonly waiting = new Map<number, (answer: Message) => void>();
  private readonly listeners = new Set<(message: Message) => void>();

  private context: { browserContextId?: string } = {};

  private constructor(
    private readonly socket: WebSocket,
    readonly pid: number,
    readonly close: () => Promise<void>,
  ) {
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id === undefined) {
        for (const listener of this.listeners) listener(message);
        return;
      }
      this.waiting.get(message.id)?.(message);
      this.waiting.delete(message.id);
    });
  }

  static async start(options: ChromiumOptions = {}): Promise<Chromium> {
    const { flags = [], hasInternalPages = false, preferences = {}, isPrivate = false } = options;
    const profile = await mkdtemp(join(tmpdir(), 'sse-chromium-'));
    await mkdir(join(profile, 'Default'));
    const state = JSON.stringify({ internal_only_uis_enabled: hasInternalPages });
    await writeFile(join(profile, 'Local State'), state);
    await writeFile(join(profile, 'Default/Preferences'), JSON.stringify(preferences));
    const running = spawn(
      process.env['CHROMIUM']!,
      [
        ...CHROMIUM_FLAGS,
        ...flags,
        '--remote-debugging-port=0',
        `--user-data-dir=${profile}`,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    running.stderr.on('data', (text: Buffer) => (log += text.toString()));
    const [, url] = await until(() => /DevTools listening on (ws:\S+)/.exec(log), {
      deadline: 50_000,
      what: 'Chromium to start',
    });
    const socket = new WebSocket(url!);
    await once(socket, 'open');
    const chromium = new Chromium(socket, running.pid!, async () => {
      socket.close();
      const exit = once(running, 'exit');
      running.kill('SIGKILL');
      await exit;
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    if (isPrivate) chromium.context = await chromium.send('Target.createBrowserContext');
    return chromium;
  }

  async open(url: string): Promise<ChromiumTab> {
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
      ...this.context,
    });
    const { sessionId } = await this.send<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    const tab = new ChromiumTab(this, targetId, sessionId);
    await tab.send('Page.enable');
    await tab.go(url);
    return tab;
  }

  async send<Result>(method: string, params: object = {}, sessionId?: string): Promise<Result> {
    const id = ++this.count;
    const answer = await new Promise<Message>((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result as Result;
  }

  /** Resolves at the next such event of a tab. */
  event(method: string, sessionId: string): Promise<void> {
    return new Promise((resolve) => {
      const listener = (message: Message): void => {
        if (message.method !== method || message.sessionId !== sessionId) return;
        this.listeners.delete(listener);
        resolve();
      };
      this.listeners.add(listener);
    });
  }
}

export class ChromiumTab implements BrowserTab {
  constructor(
    private readonly browser: Chromium,
    private readonly targetId: string,
    private readonly sessionId: string,
  ) {}

  async run<Result>(expression: string): Promise<Result> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: Result };
      exceptionDetails?: { exception?: { description?: string } };
    }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  async go(url: string): Promise<void> {
    const loaded = this.browser.event('Page.loadEventFired', this.sessionId);
    await this.send('Page.navigate', { url });
    await loaded;
  }

  async back(): Promise<void> {
    const { entries, currentIndex } = await this.send<{
      entries: { id: number }[];
      currentIndex: number;
    }>('Page.getNavigationHistory');
    const navigated = this.browser.event('Page.frameNavigated', this.sessionId);
    await this.send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1]!.id });
    await navigated;
  }

  async reload(): Promise<void> {
    const loaded = this.browser.event('Page.loadEventFired', this.sessionId);
    await this.send('Page.reload');
    await loaded;
  }

  async close(): Promise<void> {
    await this.browser.send('Target.closeTarget', { targetId: this.targetId });
  }

  /** Takes its network away, or gives it back; the page hears of both. */
  async offline(isOffline: boolean): Promise<void> {
    await this.send('Network.enable');
    await this.send('Network.emulateNetworkConditions', {
      offline: isOffline,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });
  }

  /** Freezes a tab in the background, as Chromium does after a while, or wakes it. */
  async freeze(isFrozen: boolean): Promise<void> {
    await this.send('Page.setWebLifecycleState', { state: isFrozen ? 'frozen' : 'active' });
  }

  /** Takes the tab out of memory, as Chromium does when that gets scarce. It must have the internal pages. */
  async discard(): Promise<void> {
    const title = `discarded ${Math.random()}`;
    await this.run(`document.title = ${JSON.stringify(title)}`);
    const internals = await this.browser.open('chrome://discards/');
    await internals.run(`(async () => {
      const { getOrCreateDetailsProvider } = await import('./discards.js');
      const tabs = getOrCreateDetailsProvider();
      const { infos } = await tabs.getTabDiscardsInfo();
      const { id } = infos.find(({ title }) => title === ${JSON.stringify(title)});
      await tabs.discardById(id, 0);
    })()`);
    await internals.close();
  }

  process(): Promise<number> {
    return processOfPage(this.browser.pid, (expression) => this.run(expression));
  }

  send<Result>(method: string, params?: object): Promise<Result> {
    return this.browser.send(method, params, this.sessionId);
  }
}
