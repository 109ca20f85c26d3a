import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { build, type BuildOptions } from 'esbuild';
import { projectRoot } from '../support/project-root.js';
import { ClientRig, Told } from './client-rig.js';
import { provideLocks } from './lock-store.js';

type Built = typeof import('../../lib/client/index.js');

const folder = mkdtempSync(join(tmpdir(), 'built-client-'));
const rig = new ClientRig();
let takeLocks: () => void;
beforeAll(() => {
  takeLocks = provideLocks();
});
afterAll(() => {
  takeLocks();
  rmSync(folder, { recursive: true });
});
afterEach(() => rig.close());

/** What users get, whose private members have other names. */
async function built(minify: boolean): Promise<Built> {
  const script = pathToFileURL(join(projectRoot, 'scripts/bundle-client.mjs')).href;
  const { bundleOptions } = (await import(script)) as {
    bundleOptions: (root: string, name: string) => BuildOptions;
  };
  const outfile = join(folder, `client-${minify}.mjs`);
  await build({ ...bundleOptions(projectRoot, 'client'), outfile, minify });
  return (await import(pathToFileURL(outfile).href)) as Built;
}

describe.each([false, true])('the client as it is built, minified: %p', (minify) => {
  it.each([false, true])('reads, resumes and ends, shared by tabs: %p', async (isShared) => {
    const { SseClient, SseClientError, shareTabs } = await built(minify);
    await rig.start();
    const address = rig.proxy.url(`${rig.app.url}/stream`);
    const client = new SseClient(address, isShared ? { tabs: shareTabs() } : {});
    const errors: unknown[] = [];
    client.onStatus((_status, error) => error && errors.push(error));
    try {
      const [told, denied] = [new Told(), new Told()];
      client.subscribe('news', told.handlers);
      client.subscribe('secret', denied.handlers);
      await told.has('open');
      await denied.has('denied');
      const loop = client.subscribe('news')[Symbol.asyncIterator]();
      const first = loop.next();
      await rig.app.sse.send('news', 'one');
      expect(await first).toEqual({
        done: false,
        value: { type: 'message', data: 'one', channel: 'news', position: expect.any(String) },
      });
      rig.proxy.refuse();
      rig.proxy.cut();
      await rig.streams(0);
      await rig.app.sse.send('news', 'two');
      rig.proxy.accept();
      await told.has('two');
      const other = new Told();
      client.subscribe('other', other.handlers);
      await other.has('open');
      await rig.app.sse.complete('news');
      await told.has('end');
      expect(told.all).toEqual(['open', 'one', 'open', 'two', 'end']);
      expect(errors.length).toBeGreaterThan(0);
      for (const error of errors) expect(error).toBeInstanceOf(SseClientError);
      expect(() => client.subscribe(5 as never)).toThrow('`channel` is 5');
    } finally {
      client.close();
    }
    expect(client.status).toBe('closed');
  });
});
