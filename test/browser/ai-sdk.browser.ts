import { Controller, Get, Header } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import type { Listening } from '../clients/listening.js';
import { ChatController, models } from '../runs/chat.controller.js';
import { TokenModel } from '../runs/token-model.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ENGINES } from './engines.js';
import { TestBrowser } from './test-browser.js';

let script: string;

@Controller()
class ChatPageController {
  @Get('chat')
  @Header('content-type', 'text/html; charset=utf-8')
  page(): string {
    return '<!doctype html><title>A chat</title><body><script src="chat.js"></script>';
  }

  @Get('chat.js')
  @Header('content-type', 'text/javascript; charset=utf-8')
  script(): string {
    return script;
  }
}

/** What a page of the chat shows. */
interface Shown {
  readonly text: string;
  readonly status: 'submitted' | 'streaming' | 'ready' | 'error';
  readonly answers: number;
  readonly error?: string;
}

/** A tab with the chat. */
class ChatTab {
  constructor(private readonly page: Listening) {}

  get shown(): Shown | undefined {
    const { events } = this.page;
    return events.length > 0 ? (JSON.parse(events.at(-1)!.data) as Shown) : undefined;
  }

  async shows(condition: (shown: Shown) => boolean, what: string): Promise<Shown> {
    await until(() => this.shown && condition(this.shown), {
      deadline: 30_000,
      what: `${what} in the page, which shows ${JSON.stringify(this.page.events.at(-1))}`,
    });
    return this.shown!;
  }

  /** Waits until the page shows a part of the answer. */
  reads(text: string): Promise<Shown> {
    return this.shows((shown) => shown.text === text, JSON.stringify(text));
  }

  close(): void {
    this.page.close();
  }
}

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('ai-sdk/chat.js', import.meta.url))],
    bundle: true,
    write: false,
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'silent',
  });
  script = outputFiles[0]!.text;
});

describe.each(ENGINES)(
  'useChat() of @ai-sdk/react in $name, with the answer as a run',
  (engine) => {
    let browser: TestBrowser;
    let app: TestApp;
    let model: TokenModel;

    beforeAll(async () => {
      browser = await TestBrowser.start(engine);
    });
    afterAll(() => browser?.close());
    beforeEach(async () => {
      models.current = model = new TokenModel();
      app = await startApp({ controllers: [ChatController, ChatPageController] });
    });
    afterEach(closeApps);

    const open = (mode: 'ask' | 'follow') => new ChatTab(browser.listen(mode, `${app.url}/chat`));

    it('has the whole message after a reload in the middle, in a second tab as well', async () => {
      const half = model.words.slice(0, 17).join('');
      model.allow(17);
      const first = open('ask');
      await first.reads(half);
      const second = open('follow');
      await second.reads(half);
      first.close();
      const reloaded = open('follow');
      await reloaded.reads(half);
      model.allow();
      for (const tab of [second, reloaded]) {
        const shown = await tab.shows(({ status }) => status === 'ready', 'the end');
        expect(shown).toEqual({ text: model.text, status: 'ready', answers: 1 });
        tab.close();
      }
      const later = open('follow');
      expect(await later.shows(({ status }) => status === 'ready', 'a quiet page')).toMatchObject({
        text: '',
      });
      later.close();
    });

    it('ends in every tab when it is stopped, with the words until then', async () => {
      const half = model.words.slice(0, 5).join('');
      model.allow(5);
      const tabs = [open('ask')];
      await tabs[0]!.reads(half);
      tabs.push(open('follow'));
      await tabs[1]!.reads(half);
      expect((await fetch(`${app.url}/api/chat/1`, { method: 'DELETE' })).status).toBe(204);
      for (const tab of tabs) {
        const shown = await tab.shows(({ status }) => status === 'ready', 'the end');
        expect(shown).toEqual({ text: half, status: 'ready', answers: 1 });
        tab.close();
      }
      await until(() => model.isAborted);
    });
  },
);
