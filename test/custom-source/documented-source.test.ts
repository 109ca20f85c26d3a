import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Sse } from '@nestjs/common';
import { SseChannel } from '../../lib/index.js';
import { projectRoot } from '../support/project-root.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { LogFileSource } from './log-file-source.js';

@Controller()
class LogsController {
  @Sse('logs/:name')
  @SseChannel('{name}', { source: LogFileSource })
  log(): void {
    // The channel is all there is to it.
  }
}

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-file-source-'));
});

afterEach(async () => {
  await closeApps();
  await rm(folder, { recursive: true });
});

function start(): Promise<TestApp> {
  return startApp({
    controllers: [LogsController],
    providers: [{ provide: LogFileSource, useValue: new LogFileSource(folder, 10) }],
  });
}

describe('The source of docs/custom-sources.md', () => {
  it('is the same code as the one in these tests', async () => {
    const code = await readFile(join(projectRoot, 'test/custom-source/log-file-source.ts'), 'utf8');
    const page = await readFile(join(projectRoot, 'docs/custom-sources.md'), 'utf8');
    const shown = code.replace('../../lib/index.js', 'nestjs-sse-channels');
    expect(page).toContain(`\`\`\`ts\n${shown}\`\`\``);
  });

  it('delivers lines once, in order, across a restart', async () => {
    const file = join(folder, 'build.log');
    await writeFile(file, 'zero\n');
    const one = await start();
    const client = await one.connect('/logs/build');
    await appendFile(file, 'one\ntwo\n');
    expect((await client.take(2)).map(({ data }) => data)).toEqual(['one', 'two']);
    const position = client.lastEventId;
    await one.close();
    await appendFile(file, 'three\n');
    const two = await start();
    const back = await two.connect('/logs/build', { lastEventId: position });
    await appendFile(file, 'four\n');
    expect((await back.take(2)).map(({ data }) => data)).toEqual(['three', 'four']);
    const all = await two.connect('/logs/build', { lastEventId: 'earliest' });
    const lines = await all.take(5);
    expect(lines.map(({ data }) => data)).toEqual(['zero', 'one', 'two', 'three', 'four']);
  });

  it('sends a reset after its file was replaced, and for an unknown position', async () => {
    const file = join(folder, 'build.log');
    await writeFile(file, 'one\ntwo\n');
    const app = await start();
    const client = await app.connect('/logs/build');
    await truncate(file);
    expect(await client.next()).toMatchObject({
      type: 'sse:reset',
      data: expect.stringContaining('failover'),
    });
    const lost = await app.connect('/logs/build', { lastEventId: 'nonsense' });
    expect(await lost.next()).toMatchObject({ data: expect.stringContaining('unknown-position') });
    await until(() => app.sse.stats().channels === 1);
  });

  it('refuses a name that it can never serve', async () => {
    const app = await start();
    const client = await app.connect('/logs/..%2Fetc');
    expect(client.opened.status).toBe(400);
  });
});
