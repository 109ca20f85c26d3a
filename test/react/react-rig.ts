import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Window, type HTMLElement } from 'happy-dom';
import type * as react from 'react';
import type * as dom from 'react-dom/client';
import type * as server from 'react-dom/server';
import type * as hooks from '../../lib/react/index.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';

/** A version of React, with this package's hooks on it. */
export type ReactVersion = typeof react & typeof dom & typeof server & typeof hooks;

/** The React of a major version: 19 is `react`, 18 is `react18`. */
export async function loadReact(major: 18 | 19): Promise<ReactVersion> {
  const path = join(projectRoot, `.cache/react-${major}-${process.pid}.cjs`);
  await build({
    stdin: {
      contents: `export * from 'react';
        export { createRoot, hydrateRoot } from 'react-dom/client';
        export { renderToString } from 'react-dom/server';
        export * from './lib/react/index.ts';`,
      resolveDir: projectRoot,
    },
    outfile: path,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    logLevel: 'warning',
    ...(major === 18 && { alias: { react: 'react18', 'react-dom': 'react-dom18' } }),
  });
  const { default: version } = (await import(path)) as { default: ReactVersion };
  rmSync(path);
  return version;
}

/** A document, and what React shows in it. */
export class Stage {
  /** What React reports: errors that it recovers from, and warnings. */
  readonly complaints: string[] = [];
  private readonly window = new Window();
  private readonly container: HTMLElement;
  private root: dom.Root | undefined;

  constructor(private readonly react: ReactVersion) {
    Object.assign(globalThis, { window: this.window, document: this.window.document });
    this.container = this.window.document.createElement('main');
    this.window.document.body.append(this.container);
  }

  get text(): string {
    return this.container.textContent;
  }

  render(element: react.ReactNode): void {
    this.root ??= this.react.createRoot(this.container as never, this.options());
    this.root.render(element);
  }

  /** Shows what the server has rendered, and lets React take it over. */
  hydrate(html: string, element: react.ReactNode): void {
    this.container.innerHTML = html;
    this.root = this.react.hydrateRoot(this.container as never, element, this.options());
  }

  unmount(): void {
    this.root?.unmount();
    this.root = undefined;
  }

  async shows(text: string): Promise<void> {
    await until(() => this.text === text, {
      what: `${JSON.stringify(text)} in the page`,
    }).catch((error: Error) => {
      throw new Error(`${error.message}. It shows ${JSON.stringify(this.text)}.`, { cause: error });
    });
  }

  async close(): Promise<void> {
    this.unmount();
    await this.window.happyDOM.close();
  }

  private options() {
    const complain = (error: unknown) => void this.complaints.push(String(error));
    return { onRecoverableError: complain, onUncaughtError: complain };
  }
}
