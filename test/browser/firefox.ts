import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'undici';
import { until } from '../support/until.js';
import { firefoxPreferences } from './engines.js';

/** An answer to a command: https://w3c.github.io/webdriver-bidi/#protocol */
interface Answer {
  readonly id: number;
  readonly type: 'success' | 'error';
  readonly result: unknown;
  readonly message: string;
}

/**
 * The Firefox that `npm run test:browser` has found, driven by WebDriver BiDi. Playwright drives builds of
 * its own only.
 */
export class Firefox {
  private count = 0;
  private readonly waiting = new Map<number, (answer: Answer) => void>();

  private constructor(
    private readonly socket: WebSocket,
    readonly pid: number,
    readonly close: () => Promise<void>,
  ) {
    socket.addEventListener('message', ({ data }) => {
      const answer = JSON.parse(String(data)) as Answer;
      this.waiting.get(answer.id)?.(answer);
      this.waiting.delete(answer.id);
    });
  }

  /** @param preferences beside those of all tests */
  static async start(
    program: string,
    preferences: Readonly<Record<string, boolean | number>> = {},
  ): Promise<Firefox> {
    const profile = await mkdtemp(join(tmpdir(), 'sse-firefox-'));
    await writeFile(join(profile, 'user.js'), firefoxPreferences(preferences));
    const running = spawn(
      program,
      ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port=0'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    running.stderr.on('data', (text: Buffer) => (log += text.toString()));
    const [, url] = await until(() => /BiDi listening on (ws:\S+)/.exec(log), { deadline: 50_000 });
    const socket = new WebSocket(`${url}/session`);
    await once(socket, 'open');
    const firefox = new Firefox(socket, running.pid!, async () => {
      socket.close();
      const exit = once(running, 'exit');
      running.kill('SIGKILL');
      await exit;
      await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    await firefox.send('session.new', { capabilities: {} });
    return firefox;
  }

  async open(url: string): Promise<FirefoxTab> {
    const { context } = await this.send<{ context: string }>('browsingContext.create', {
      type: 'tab',
    });
    await this.send('browsingContext.navigate', { context, url, wait: 'complete' });
    return new FirefoxTab(this, context);
  }

  async send<Result>(method: string, params: object): Promise<Result> {
    const id = ++this.count;
    const answer = await new Promise<Answer>((resolve) => {
      this.waiting.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
    if (answer.type === 'error') throw new Error(`${method}: ${answer.message}`);
    return answer.result as Result;
  }
}

export class FirefoxTab {
  constructor(
    private readonly firefox: Firefox,
    private readonly context: string,
  ) {}

  async reload(): Promise<void> {
    const { context } = this;
    await this.firefox.send('browsingContext.reload', { context, wait: 'complete' });
  }

  async go(url: string): Promise<void> {
    const { context } = this;
    await this.firefox.send('browsingContext.navigate', { context, url, wait: 'complete' });
  }

  async back(): Promise<void> {
    await this.firefox.send('browsingContext.traverseHistory', {
      context: this.context,
      delta: -1,
    });
  }

  async close(): Promise<void> {
    await this.firefox.send('browsingContext.close', { context: this.context });
  }

  /** Types into what has the focus, and presses Enter. */
  async enter(text: string): Promise<void> {
    const actions = [...text, '\uE007'].flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ]);
    await this.firefox.send('input.performActions', {
      context: this.context,
      actions: [{ type: 'key', id: 'keyboard', actions }],
    });
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    await until(async () => (await this.evaluate(expression)) === true, {
      every: 50,
      what: expression,
    });
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.firefox.send<{
      result?: { value?: unknown };
      exceptionDetails?: { text: string };
    }>('script.evaluate', { expression, target: { context: this.context }, awaitPromise: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result?.value;
  }
}
