import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../support/free-port.js';
import { ServerFolder } from '../support/server-folder.js';
import { ServerProcess } from '../support/server-process.js';

/** A Prometheus of our own. */
export interface Prometheus {
  readonly url: string;
  /** Evaluates an expression. @throws Error when it is none */
  query(
    expression: string,
  ): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/**
 * Starts Prometheus on the loopback interface; it ends with this process at the latest.
 * @param target the address that it scrapes, twice a second
 * @param rules a file of rules
 */
export async function startPrometheus(target: string, rules: string): Promise<Prometheus> {
  const program = process.env['PROMETHEUS'];
  if (!program) throw new Error('No Prometheus: run these tests with "npm run test:prometheus".');
  const folder = await ServerFolder.create('prometheus');
  const port = await freePort();
  const config = join(folder.path, 'prometheus.yml');
  await writeFile(join(folder.path, 'rules.yml'), rules);
  await writeFile(
    config,
    `global: { scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: sse
    static_configs: [{ targets: ['${new URL(target).host}'] }]
`,
  );
  let running: ServerProcess;
  try {
    running = await ServerProcess.start({
      command: program,
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder.path, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      cwd: folder.path,
      onSpawn: (pid) => folder.guard(pid, 'KILL'),
      ready: /Server is ready to receive web requests/,
    });
  } catch (error) {
    await folder.remove();
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    async query(expression) {
      const response = await fetch(`${url}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query: expression }),
      });
      const answer = (await response.json()) as {
        status: string;
        error?: string;
        data: { result: [] };
      };
      if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`);
      return answer.data.result;
    },
    async stop() {
      await running.end('SIGKILL');
      await folder.release();
      await folder.remove();
    },
  };
}
