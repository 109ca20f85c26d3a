import { join } from 'node:path';
import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { endCli, startCli } from '../cli/cli-process.js';
import { freePort } from '../support/free-port.js';
import { projectRoot } from '../support/project-root.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { KeptEvents } from './kept-events.js';
import { PROXY_KINDS } from './proxy-kinds.js';
import { startProxyServer, type RunningProxy } from './proxy-server.js';

const TOTAL = 30;

/** The certificate is of `localhost`, and signed by itself. */
const certificate = join(projectRoot, 'test/support/tls/cert.pem');

const kinds = PROXY_KINDS.filter(({ name }) => name === 'nginx');

let proxy: RunningProxy | undefined;

afterEach(async () => {
  endCli();
  await proxy?.stop();
  proxy = undefined;
  await closeApps();
});

describe.each(kinds)('nestjs-sse-channels listen through $name with TLS and HTTP/2', (kind) => {
  it('loses and repeats nothing while the application restarts', async () => {
    const kept = new KeptEvents();
    @Controller()
    class KeptController {
      @Sse('kept')
      @SseChannel('kept', { source: kept })
      kept() {}
    }
    const port = await freePort();
    const options = { heartbeat: 400, retry: 50, drainTimeout: 50 };
    const start = (): Promise<TestApp> =>
      startApp({ controllers: [KeptController], port, options });
    let app = await start();
    proxy = await startProxyServer(kind, port, { isSecure: true });
    const url = `${proxy.url.replace('127.0.0.1', 'localhost')}/kept`;
    const args = ['listen', url, '--json', '--count', String(TOTAL)];
    const clients = [
      startCli(args, { env: { NODE_EXTRA_CA_CERTS: certificate } }),
      startCli([...args, '--insecure']),
    ];
    await until(() => app.sse.stats().connections === clients.length);
    for (let n = 1; n <= TOTAL; n++) {
      kept.append('kept', String(n));
      if (n % 10 === 5) {
        await app.close();
        // The proxy, as documented, answers meanwhile with a stream that says no more than when to return.
        await until(() => clients.every(({ err }) => /ended before it was open.*\n$/.test(err)));
        app = await start();
        await until(() => app.sse.stats().connections === clients.length);
      }
    }
    for (const client of clients) {
      expect(await client.ended).toBe(0);
      const data = client.lines.map((line) => (JSON.parse(line) as { data: string }).data);
      expect(data).toEqual(Array.from({ length: TOTAL }, (_, n) => String(n + 1)));
    }
    const refused = startCli(['listen', url]);
    expect(await refused.ended).toBe(1);
    expect(refused.err).toMatch(/certificate.* NODE_EXTRA_CA_CERTS.*--insecure/);
  });
});
