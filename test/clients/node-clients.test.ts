import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { removeBlocks } from '../docs/run-block.js';
import { projectRoot } from '../support/project-root.js';
import { startProxy } from '../support/proxy.js';
import { sized } from '../support/soak.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { testClient, type ClientTestOptions } from './client-tests.js';
import { NODE_CLIENTS } from './node-clients.js';
import { startNumbersApp } from './numbers-app.js';

afterAll(removeBlocks);

const OPTIONS = sized<ClientTestOptions>({
  quick: { cuts: 5, adapters: ['express'] },
  soak: { cuts: 20, adapters: ADAPTERS },
});

describe.each(NODE_CLIENTS)('$name', (client) => testClient(client, OPTIONS));

describe.each(NODE_CLIENTS.filter(({ withWideId }) => withWideId === 'throws'))(
  '$name in a process of its own',
  ({ name }) => {
    afterEach(closeApps);

    it('ends that process when it has to return with an id beyond latin1', async () => {
      const { url, sse } = await startNumbersApp('express');
      const proxy = await startProxy(url);
      await sse.send('plain', 'one', { id: '☃' });
      const script =
        `const EventSource = require('${name.replace(' ', '')}');` +
        `const source = new EventSource('${proxy.url(`${url}/plain?lastEventId=earliest`)}');` +
        `source.onmessage = () => console.log('received');`;
      const running = promisify(execFile)(process.execPath, ['-e', script], { cwd: projectRoot });
      running.child.stdout!.once('data', () => proxy.cut());
      await expect(running).rejects.toMatchObject({
        stderr: expect.stringContaining('ERR_INVALID_CHAR'),
      });
      await proxy.close();
    });
  },
);
