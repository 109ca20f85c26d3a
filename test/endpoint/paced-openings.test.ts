import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const CLIENTS = 60;
/** How long a handler seems to take, in milliseconds: a slice of 10 ms begins four. */
const HANDLER_MS = 3;

const { now } = performance;
let skew = 0;
let turn = 0;
let asked = 0;
let decide: () => void;
let decided: Promise<void>;
/** In which turn of the event loop each handler was called. */
const calledIn: number[] = [];

const decision = async (): Promise<void> => {
  asked++;
  await decided;
};

const handle = (): void => {
  skew += HANDLER_MS;
  calledIn.push(turn);
};

@Controller()
class PacedController {
  @Sse('authorize')
  @SseChannel('news', { authorize: () => decision().then(() => true) })
  authorized() {
    handle();
  }

  @Sse('resolver')
  @SseChannel(() => decision().then(() => 'news'))
  resolved() {
    handle();
  }
}

describe.each(ADAPTERS)('Requests whose channels become known at one moment on %s', (adapter) => {
  afterEach(async () => {
    performance.now = now;
    await closeApps();
  });

  it.each(['authorize', 'resolver'])('open over several turns, after %s', async (path) => {
    const app = await startApp({ adapter, controllers: [PacedController] });
    decided = new Promise((resolve) => (decide = resolve));
    asked = 0;
    calledIn.length = 0;
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => RawClient.get(app.url, `/${path}`)),
    );
    await until(() => asked === CLIENTS);
    performance.now = () => now.call(performance) + skew;
    let immediate = setImmediate(function next() {
      turn++;
      immediate = setImmediate(next);
    });
    decide();
    await until(() => app.sse.stats().connections === CLIENTS);
    clearImmediate(immediate);
    clients.forEach((client) => client.destroy());
    expect(calledIn).toHaveLength(CLIENTS);
    const perTurn = new Map<number, number>();
    calledIn.forEach((at) => perTurn.set(at, (perTurn.get(at) ?? 0) + 1));
    expect(Math.max(...perTurn.values())).toBeLessThan(CLIENTS / 4);
  });
});
