import { Browser, type HTMLElement } from 'happy-dom';
import { deepEqual, doesNotMatch, equal } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build, preview } from 'vite';
import { startSample } from '../../test/sample/sample-process.js';
import { projectRoot } from '../../test/support/project-root.js';
import { until } from '../../test/support/until.js';
import { closeAll, closeLater } from '../support/start.js';

const PAGE = 'sample/react';
const FILES = ['index.html', 'package.json', 'tsconfig.json', 'vite.config.ts', 'src'];
/** What the page takes from the sample's other pages. */
const STYLES = ['sample/public/style.css', 'sample/rooms/public/rooms.css'];
const SAMPLE = [process.execPath, '--import', './scripts/typescript.mjs', 'sample/main.ts'];
const ROOMS = ['lobby', 'kitchen', 'garden'];

/** The page with the packages of this folder, where `npm install` would link to the repository. */
const copy = join(projectRoot, `.cache/react-${process.pid}`);
const root = join(copy, PAGE);

function dependencies(folder: string): Record<string, string> {
  const text = readFileSync(join(projectRoot, folder, 'package.json'), 'utf8');
  return (JSON.parse(text) as { dependencies: Record<string, string> }).dependencies;
}

async function connections(address: string): Promise<number> {
  const { sse } = (await (await fetch(`${address}/stats`)).json()) as {
    sse: { connections: number };
  };
  return sse.connections;
}

async function post(url: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const { status } = await fetch(url, { method: 'POST', headers, body: '{"tea":2}' });
  equal(status, 201);
}

async function open(url: string) {
  const browser = new Browser({
    settings: {
      enableJavaScriptEvaluation: true,
      suppressInsecureJavaScriptEnvironmentWarning: true,
      handleDisabledFileLoadingAsSuccess: true,
    },
  });
  closeLater(() => browser.close());
  const page = browser.newPage();
  await page.goto(url);
  const all = (selector: string) =>
    [...page.mainFrame.document.querySelectorAll(selector)] as HTMLElement[];
  const texts = (selector: string) => all(selector).map(({ textContent }) => textContent);
  return { all, texts, complaints: () => page.virtualConsolePrinter.readAsString() };
}

const card = (room: string) => `.card[data-room="${room}"]`;

describe('the page of React', () => {
  before(() => {
    for (const name of FILES) {
      cpSync(join(projectRoot, PAGE, name), join(root, name), { recursive: true });
    }
    for (const name of STYLES) cpSync(join(projectRoot, name), join(copy, name));
    symlinkSync(join(import.meta.dirname, 'node_modules'), join(root, 'node_modules'));
  });
  after(async () => {
    await closeAll();
    rmSync(copy, { recursive: true, force: true });
  });

  it('is built here with the versions that it asks for', () => {
    deepEqual(dependencies(PAGE), {
      ...dependencies('recipes/react'),
      'nestjs-sse-channels': 'file:../..',
    });
  });

  it('compiles', () => {
    const compiler = join(projectRoot, 'node_modules/typescript/bin/tsc');
    const { stdout, status } = spawnSync(process.execPath, [compiler, '-p', root], {
      encoding: 'utf8',
    });
    deepEqual([status, stdout], [0, '']);
  });

  it('reads the rooms of the sample by one connection, through the proxy of Vite', async () => {
    const sample = await startSample({}, SAMPLE);
    closeLater(() => sample.dispose());
    const [address] = await Promise.all([sample.address(), build({ root, logLevel: 'warn' })]);
    process.env['SAMPLE'] = address;
    const server = await preview({ root, preview: { port: 0, host: '127.0.0.1' } });
    closeLater(() => server.close());
    const { all, texts, complaints } = await open(server.resolvedUrls!.local[0]!);

    await until(() => all('.card[data-state="open"]').length === ROOMS.length);
    deepEqual(texts('.card h2'), ROOMS);
    deepEqual(texts('.top [role="status"] span:last-child'), ['open']);
    await until(async () => (await connections(address)) === 1, { every: 50 });

    all(`${card('kitchen')} form button`)[0]!.click();
    await until(() => texts(`${card('kitchen')} li`).length === 1);
    await post(`${address}/rooms/kitchen`);
    await until(() => texts(`${card('kitchen')} li`).length === 2);
    deepEqual(texts('.messages li'), ['{"tea":2}', 'Hi there']);
    // Later happy-dom calls it an error that a page ends its request.
    doesNotMatch(complaints(), /error/i);

    all(`${card('kitchen')} .leave`)[0]!.click();
    await until(() => all('.card').length === 2);
    await post(`${address}/rooms/lobby`);
    await until(() => texts(`${card('lobby')} li`).length === 1);
    for (const room of ['lobby', 'garden']) all(`${card(room)} .leave`)[0]!.click();
    await until(async () => (await connections(address)) === 0, { every: 50 });
  });
});
