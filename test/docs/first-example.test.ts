import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseTestClient } from '../../lib/testing/index.js';
import { freePort } from '../support/free-port.js';
import { projectRoot } from '../support/project-root.js';
import { until } from '../support/until.js';
import { codeBlocks } from './markdown.js';
import { removeBlocks, writeBlock } from './run-block.js';

let child: ChildProcess | undefined;

afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  removeBlocks();
});

describe("The README's first example", () => {
  it('starts, and streams what is posted to it', async () => {
    const first = codeBlocks('README.md').find(({ language }) => language === 'ts')!;
    const port = await freePort();
    child = spawn(process.execPath, ['--import', './scripts/typescript.mjs', writeBlock(first)], {
      cwd: projectRoot,
      env: { ...process.env, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until(() => output.includes('successfully started') || child!.exitCode !== null, {
      deadline: 90_000,
      what: 'the example to start',
    });
    const room = `http://127.0.0.1:${port}/rooms/lobby`;
    const answer = () =>
      fetch(room, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"text":"Hello"}',
      });
    await until(
      () =>
        fetch(room).then(
          () => true,
          () => false,
        ),
      { what: 'the example to listen' },
    );
    const client = await SseTestClient.connect(`${room}/events`);
    try {
      const posted = (await (await answer()).json()) as { id: string };
      expect(await client.next()).toMatchObject({ data: '{"text":"Hello"}', id: posted.id });
      child.kill('SIGTERM');
      await once(child, 'exit');
      expect((await client.closed).by).toBe('server');
    } finally {
      await client.close();
    }
  });
});
