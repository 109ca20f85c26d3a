import { Controller, Module, RequestMethod, Sse } from '@nestjs/common';
import { build } from 'esbuild';
import { Window } from 'happy-dom';
import { deepEqual, equal } from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { requestedChannels, SseChannel, SseModule } from 'nestjs-sse-channels';
import { codeBlocks } from '../../test/docs/markdown.js';
import { until } from '../../test/support/until.js';
import { closeAll, start, type Running } from '../support/start.js';

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels({ only: ['news', 'job:{id}'] }))
  stream() {}
}

@Module({ imports: [SseModule.forRoot()], controllers: [StreamController] })
class PageModule {}

/** The files of the examples, which find the packages of this folder. */
const root = join(import.meta.dirname, `.cache/${process.pid}`);
/** What the frameworks take from a page. */
const OF_A_PAGE = [
  'document',
  'window',
  'navigator',
  'Node',
  'Element',
  'HTMLElement',
  'SVGElement',
  'MathMLElement',
  'Text',
  'Comment',
  'DocumentFragment',
  'Event',
];

const window = new Window();
let app: Running;

function block(language: string, text: string): string {
  const found = codeBlocks('docs/client.md').filter(
    (one) => one.language === language && one.code.includes(text),
  );
  equal(found.length, 1, `${found.length} blocks of ${language} with ${text}`);
  return found[0]!.code;
}

function write(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

/** Loads what the examples import, as they do. */
async function load<T>(name: string, text: string): Promise<T> {
  return (await import(pathToFileURL(write(name, text)).href)) as T;
}

const readers = async (count: number) =>
  until(() => app.sse.stats().connections === count, { what: `${count} connections` });

const shown = () => window.document.body.textContent.trim();

describe('the examples of docs/client.md', () => {
  before(async () => {
    mkdirSync(root, { recursive: true });
    write('package.json', '{"type":"module"}');
    for (const name of OF_A_PAGE) {
      const value =
        name === 'window' ? window : (window as unknown as Record<string, unknown>)[name];
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    app = await start(PageModule);
    write(
      'client.js',
      `import { SseClient } from 'nestjs-sse-channels/client';
       export const client = new SseClient('${app.url}/stream');`,
    );
  });
  afterEach(() => {
    window.document.body.innerHTML = '';
  });
  after(async () => {
    await closeAll();
    await window.happyDOM.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('show events in Vue, and stop with the component', async () => {
    write('use-latest.js', block('js', '// Vue: use-latest.js'));
    const { compileScript, parse } = await import('vue/compiler-sfc');
    const { descriptor, errors } = parse(block('vue', 'useLatest'), { filename: 'App.vue' });
    deepEqual(errors, []);
    const { content } = compileScript(descriptor, { id: 'app', inlineTemplate: true });
    const { default: App } = await load<{ default: object }>('vue-app.js', content);
    const { createApp } = await import('vue');
    const page = createApp(App);
    page.mount(window.document.body as never);
    await readers(1);
    await app.sse.send('news', 'It works in Vue');
    await until(() => shown() === 'It works in Vue');
    page.unmount();
    await readers(0);
  });

  it('show events in Svelte, and stop with the component', async () => {
    const { compile } = await import('svelte/compiler');
    const { js, warnings } = compile(block('svelte', '$news'), { generate: 'client' });
    deepEqual(warnings, []);
    // On Node the package is the one for servers, so the page is bundled as for a browser.
    const entry = write(
      'svelte-main.js',
      `import { mount, unmount } from 'svelte';
       import App from './svelte-app.js';
       const app = mount(App, { target: document.body });
       export const leave = () => unmount(app);`,
    );
    write('svelte-app.js', js.code);
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      conditions: ['browser', 'svelte'],
      write: false,
      logLevel: 'silent',
    });
    const { leave } = await load<{ leave(): Promise<void> }>(
      'svelte-page.js',
      outputFiles[0]!.text,
    );
    await readers(1);
    await app.sse.send('news', 'It works in Svelte');
    await until(() => shown() === 'It works in Svelte');
    await leave();
    await readers(0);
  });

  it('make a signal of Angular, which ends with its injector', async () => {
    const code = block('ts', '@angular/core').replace("'/stream'", `'${app.url}/stream'`);
    const { outputFiles } = await build({
      entryPoints: [write('angular.ts', code)],
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      write: false,
      tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
    });
    await import('@angular/compiler');
    const { createEnvironmentInjector, Injector, runInInjectionContext } =
      await import('@angular/core');
    const { JobComponent } = await load<{ JobComponent: new () => { percent(): number } }>(
      'angular.js',
      outputFiles[0]!.text,
    );
    const injector = createEnvironmentInjector([], Injector.NULL as never);
    const component = runInInjectionContext(injector, () => new JobComponent());
    equal(component.percent(), 0);
    await readers(1);
    await app.sse.send('job:42', { percent: 7 }, { type: 'progress' });
    await until(() => component.percent() === 7);
    injector.destroy();
    await readers(0);
  });
});
