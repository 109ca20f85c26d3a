import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { freePort } from '../../support/free-port.js';
import { until } from '../../support/until.js';
import type { BrowserTab, TabBrowser } from './tab.js';
import { processOfPage } from './tab-process.js';

/** WebKitGTK's MiniBrowser with its tabs, driven by WebDriver: https://w3c.github.io/webdriver/ */
export class WebKit implements TabBrowser {
  private session = '';
  /** The tab that it starts with. A new one opens beside another only. */
  private first = '';
  /** A command is about the tab that was chosen before it. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly address: string,
    readonly pid: number,
    private readonly end: () => Promise<void>,
  ) {}

  static async start(): Promise<WebKit> {
    const profile = await mkdtemp(join(tmpdir(), 'sse-webkit-'));
    const screen = spawn(process.env['XVFB']!, ['-displayfd', '3', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const [display] = (await once(screen.stdio[3] as Readable, 'data')) as [Buffer];
    const port = await freePort();
    const driver = spawn(process.env['WEBKIT_DRIVER']!, [`--port=${port}`], {
      env: {
        ...process.env,
        DISPLAY: `:${display.toString().trim()}`,
        GDK_BACKEND: 'x11',
        LIBGL_ALWAYS_SOFTWARE: '1',
        WEBKIT_DISABLE_COMPOSITING_MODE: '1',
        XDG_CACHE_HOME: profile,
        XDG_CONFIG_HOME: profile,
        XDG_DATA_HOME: profile,
      },
      stdio: 'ignore',
    });
    const webkit = new WebKit(`http://127.0.0.1:${port}`, driver.pid!, async () => {
      for (const running of [driver, screen]) await endProcess(running);
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    await until(
      () =>
        fetch(`${webkit.address}/status`).then(
          ({ ok }) => ok,
          () => false,
        ),
      {
        deadline: 50_000,
        what: 'the driver of WebKit',
      },
    );
    const options = { binary: process.env['WEBKIT']!, args: ['--automation'] };
    const capabilities = { alwaysMatch: { 'webkitgtk:browserOptions': options } };
    const { sessionId } = await webkit.ask<{ sessionId: string }>('POST', '/session', {
      capabilities,
    });
    webkit.session = `/session/${sessionId}`;
    webkit.first = await webkit.ask('GET', `${webkit.session}/window`);
    return webkit;
  }

  async open(url: string): Promise<BrowserTab> {
    const { handle } = await this.inTab<{ handle: string }>(this.first, 'POST', '/window/new', {
      type: 'tab',
    });
    const inTab = <Result>(method: string, path: string, body?: object): Promise<Result> =>
      this.inTab(handle, method, path, body);
    const run = <Result>(expression: string): Promise<Result> =>
      inTab('POST', '/execute/sync', { script: `return ${expression}`, args: [] });
    const tab: BrowserTab = {
      run,
      reload: () => inTab('POST', '/refresh', {}),
      go: (to) => inTab('POST', '/url', { url: to }),
      back: () => inTab('POST', '/back', {}),
      process: () => processOfPage(this.pid, run),
      close: () => inTab('DELETE', '/window'),
    };
    await tab.go(url);
    return tab;
  }

  async close(): Promise<void> {
    if (this.session) await this.ask('DELETE', this.session).catch(() => undefined);
    await this.end();
  }

  private inTab<Result>(
    handle: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<Result> {
    const result = this.last.then(async () => {
      await this.ask('POST', `${this.session}/window`, { handle });
      return this.ask<Result>(method, this.session + path, body);
    });
    this.last = result.catch(() => undefined);
    return result;
  }

  private async ask<Result>(method: string, path: string, body?: object): Promise<Result> {
    const response = await fetch(this.address + path, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { value: Result & { message?: string } };
    if (!response.ok) throw new Error(`${method} ${path}: ${value.message}`);
    return value;
  }
}

async function endProcess(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const exit = once(running, 'exit');
  running.kill('SIGKILL');
  await exit;
}
