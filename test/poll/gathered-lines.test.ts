import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { Delivery } from '../../lib/delivery/delivery.js';
import { outagesOf } from '../../lib/inspector/instance-numbers.js';
import { LogRecorder } from '../cache/recorder.js';
import { startPostgres } from '../support/postgres.js';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const FUNCTIONS = 200;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  await closeApps();
  for (const end of ends.splice(0).toReversed()) {
    await end();
  }
});

/** How many functions the lines with a text tell of. */
function told(lines: readonly string[], text: string): number {
  const line = new RegExp(`^(?:For (\\d+) polled functions: )?${text}`);
  return lines.reduce((sum, one) => {
    const found = line.exec(one);
    return sum + (found ? Number(found[1] ?? 1) : 0);
  }, 0);
}

async function startLogging() {
  const log = new LogRecorder();
  const logger = { log: () => undefined, warn: () => undefined, error: () => undefined };
  const to = {
    ...logger,
    error: (line: string) => log.error(line),
    log: (line: string) => log.log(line),
  };
  const app = await startApp({ logger: to as never });
  return { app, log };
}

describe('Polled functions that ask one Postgres', () => {
  it('tell of its outage and of its end together, and keep one outage in the list', async () => {
    const server = await startPostgres();
    ends.push(() => server.stop());
    const pool = new pg.Pool({ connectionString: server.url, max: 4 });
    pool.on('error', () => undefined);
    ends.push(() => pool.end());
    const { app, log } = await startLogging();
    const values = Array.from({ length: FUNCTIONS }, () => 0);
    values.forEach((_, index) => {
      const polled = app.sse.poll(async () => (await pool.query('select 1 as one')).rows[0], {
        interval: 200,
      });
      polled.subscribe(() => values[index]!++);
    });
    await until(() => values.every((count) => count > 0));
    await server.killServer();
    const failed = 'Polling failed: connect ECONNREFUSED';
    await until(() => told(log.errors, 'Polling failed: ') === FUNCTIONS, { deadline: 60_000 });
    expect(log.errors.length).toBeLessThanOrEqual(20);
    expect(log.errors).toContainEqual(expect.stringContaining(failed));
    expect(log.errors).toContainEqual(expect.stringMatching(/^For \d+ polled functions: /));
    const noted = outagesOf(app.app.get(Delivery).tally);
    expect(noted.length).toBeLessThanOrEqual(5);
    expect(noted.every(({ to }) => to === undefined)).toBe(true);
    await server.startServer();
    await until(() => told(log.lines, 'Polling works again\\.') === FUNCTIONS, {
      deadline: 90_000,
    });
    expect(log.lines).toContainEqual(
      expect.stringMatching(/^For \d+ polled functions: Polling works again\.$/),
    );
    expect(outagesOf(app.app.get(Delivery).tally).every(({ to }) => to !== undefined)).toBe(true);
  });

  it('log a single failure as it is, at a shutdown at once', async () => {
    const { app, log } = await startLogging();
    let reads = 0;
    const polled = app.sse.poll(() => Promise.reject(new Error(`away ${++reads}`)), {
      interval: 60_000,
    });
    polled.subscribe();
    await until(() => app.app.get(Delivery).tally.outages.poll === 1);
    await app.close();
    expect(log.errors).toEqual([
      'Polling failed: away 1. The stream stays open, and polling goes on.',
    ]);
  });
});
