import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'undici';
import { until } from '../../support/until.js';
import { CHROMIUM_FLAGS } from '../engines.js';
import type { BrowserTab, TabBrowser } from './tab.js';

/** An answer, or an event: https://chromedevtools.github.io/devtools-protocol/ */
interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface ProcessInfo {
  readonly type: string;
  readonly id: number;
  /** Seconds. */
  readonly cpuTime: number;
}

/**
 * Chromium as a user has it: one tab is seen, the others are in the background, where the browser slows
 * them down and may freeze them. Playwright would keep all of them awake.
 */
export class Chromium implements TabBrowser {
  private count = 0;
  private readonly waiting = new Map<number, (answer: Message) => void>();
  private readonly listeners = new Set<(message: Message) => void>();

  private constructor(
    private readonly socket: WebSocket,
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

  static async start(...flags: string[]): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), 'sse-chromium-'));
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
    return new Chromium(socket, async () => {
      socket.close();
      const exit = once(running, 'exit');
      running.kill('SIGKILL');
      await exit;
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
  }

  /** @param first a script that runs in each page of the tab before its own */
  async open(url: string, first?: string): Promise<ChromiumTab> {
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', {
      url: 'about:blank',
    });
    const { sessionId } = await this.send<{ sessionId: string }>('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    const tab = new ChromiumTab(this, targetId, sessionId);
    await tab.send('Page.enable');
    if (first) await tab.send('Page.addScriptToEvaluateOnNewDocument', { source: first });
    await tab.go(url);
    return tab;
  }

  /** How long each process of a page has worked, in seconds. */
  async rendererTimes(): Promise<Map<number, number>> {
    const { processInfo } = await this.send<{ processInfo: ProcessInfo[] }>(
      'SystemInfo.getProcessInfo',
    );
    const renderers = processInfo.filter(({ type }) => type === 'renderer');
    return new Map(renderers.map(({ id, cpuTime }) => [id, cpuTime]));
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

  async reload(): Promise<void> {
    const loaded = this.browser.event('Page.loadEventFired', this.sessionId);
    await this.send('Page.reload');
    await loaded;
  }

  async close(): Promise<void> {
    await this.browser.send('Target.closeTarget', { targetId: this.targetId });
  }

  /** Freezes a tab in the background, as Chromium does after a while, or wakes it. */
  async freeze(isFrozen: boolean): Promise<void> {
    await this.send('Page.setWebLifecycleState', { state: isFrozen ? 'frozen' : 'active' });
  }

  /** The number of the process that runs the tab: of all, the one that works when the tab is made to. */
  async process(): Promise<number> {
    const before = await this.browser.rendererTimes();
    await this.run(
      '(() => { for (let n = 0; n < 5e7; n++) globalThis.worked = n * n; })() ?? null',
    );
    const after = [...(await this.browser.rendererTimes())];
    const work = after.map(([id, time]) => [time - (before.get(id) ?? 0), id] as const);
    return work.reduce((most, each) => (each[0] > most[0] ? each : most))[1];
  }

  send<Result>(method: string, params?: object): Promise<Result> {
    return this.browser.send(method, params, this.sessionId);
  }
}
