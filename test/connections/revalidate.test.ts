import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import type { Connection } from '../../lib/delivery/connection.js';
import { Revalidation } from '../../lib/endpoint/revalidation.js';
import { SseChannel, type SseClosed, type SseConnectionEvent } from '../../lib/index.js';
import { ClientRig } from '../delivery/client-rig.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

interface AppRequest {
  readonly query: Record<string, string>;
}

const asked = new Map<string, number>();

/** What the check answers, as the request wants it. */
function check({ query: { as } }: AppRequest): boolean | Promise<boolean> {
  asked.set(as!, (asked.get(as!) ?? 0) + 1);
  switch (as) {
    case 'stays':
      return true;
    case 'stays later':
      return Promise.resolve(true);
    case 'false':
      return false;
    case 'rejects':
      return Promise.reject(new Error('a check rejects'));
    case 'throws':
      throw new Error('a check throws');
    default:
      return 'yes' as never;
  }
}

const revalidate = { interval: 1_000, check };

@Controller()
class RoomsController {
  @Sse('room')
  @SseChannel('a', { revalidate })
  room() {}

  @Sse('handled')
  @SseChannel(undefined, { revalidate })
  handled() {
    return NEVER;
  }
}

describe.each(ADAPTERS)('revalidate on %s', (adapter) => {
  afterEach(closeApps);

  it.each(['/room', '/handled'])(
    'asks about the streams at %s again, and only true lets them stay',
    async (path) => {
      asked.clear();
      const lines: string[] = [];
      const { connect, sse } = await startApp({
        adapter,
        controllers: [RoomsController],
        options: { client: ({ query }: AppRequest) => query['as'] },
        logger: { log() {}, warn() {}, error: (line: string) => void lines.push(line) } as never,
      });
      const closed: SseClosed[] = [];
      sse.connections$.subscribe((event: SseConnectionEvent) => {
        if (event.type === 'closed') closed.push(event);
      });
      const as = (who: string) => connect(`${path}?as=${encodeURIComponent(who)}`);
      const stay = [await as('stays'), await as('stays later')];
      const go = await Promise.all(['false', 'rejects', 'throws', 'yes'].map(as));
      await Promise.all(go.map((client) => client.closed));
      await until(() => closed.length === 4);
      for (const { events } of go) {
        expect(events.at(-1)).toMatchObject({ type: 'sse:end', data: '{"reason":"revoked"}' });
      }
      for (const event of closed) {
        expect(event).toMatchObject({ reason: 'revoked', detail: 'revalidate' });
      }
      await until(() => asked.get('stays')! >= 2 && asked.get('stays later')! >= 2);
      expect(stay.every(({ isOpen }) => isOpen)).toBe(true);
      expect(['false', 'rejects', 'throws', 'yes'].map((who) => asked.get(who))).toEqual([
        1, 1, 1, 1,
      ]);
      const of = `\`revalidate.check\` of RoomsController.${path.slice(1)} failed:`;
      expect(lines.sort()).toEqual([
        `${of} It returned a string. It must return true or false, or a promise of one.`,
        `${of} a check rejects`,
        `${of} a check throws`,
      ]);
    },
  );
});

describe('A revalidation', () => {
  /** As many connections as asked for, each of which can be closed. */
  const connections = (count: number) => {
    const closes: (() => void)[] = [];
    const ended: unknown[] = [];
    const rig = new ClientRig();
    rig.delivery.revocations.end = (meant) => {
      ended.push(...meant);
      closes.splice(0).forEach((close) => close());
    };
    const exchange = (nth: number) => ({
      request: { nth } as never,
      onceClosed: (callback: () => void) => void closes.push(callback),
    });
    return { count, closes, ended, rig, exchange };
  };

  it('asks about 5,000 connections in turn, 50 at a time at most, each as often as the others', async () => {
    const { rig, closes, exchange } = connections(5_000);
    const times = new Map<number, number>();
    let [underWay, most] = [0, 0];
    const ask = async ({ nth }: { nth: number }) => {
      times.set(nth, (times.get(nth) ?? 0) + 1);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 1));
      underWay--;
      return true;
    };
    const revalidation = new Revalidation({ interval: 1_000, check: ask }, 'here', rig.delivery);
    for (let nth = 0; nth < 5_000; nth++) {
      revalidation.add({} as Connection, exchange(nth));
    }
    await until(() => times.get(4_999) === 2);
    expect(most).toBeLessThanOrEqual(50);
    const counts = [...times.values()];
    expect(counts.length).toBe(5_000);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    closes.splice(0).forEach((close) => close());
    rig.delivery.close();
  });

  it('ends a stream whose check gives no answer in time, and asks once meanwhile', async () => {
    const { rig, ended, exchange } = connections(1);
    let count = 0;
    const never = () => {
      count++;
      return new Promise<boolean>(() => undefined);
    };
    const option = { interval: 20, check: never };
    const revalidation = new Revalidation(option, 'here', rig.delivery, 300);
    const connection = {} as Connection;
    revalidation.add(connection, exchange(0));
    await until(() => ended.length > 0);
    expect(ended).toEqual([connection]);
    expect(count).toBe(1);
    expect(rig.logged).toEqual(['`revalidate.check` of here failed: no answer within 300 ms']);
    rig.delivery.close();
  });

  it.each([
    [true],
    [{}],
    [{ interval: 1_000 }],
    [{ check }],
    [{ interval: 999, check }],
    [{ interval: Infinity, check }],
    [{ interval: 1_000, check, extra: 1 }],
  ])('is refused with %j', (option) => {
    expect(() =>
      SseChannel('a', { revalidate: option as never })(class {}.prototype, 'method', {
        value: () => undefined,
      }),
    ).toThrow(/`revalidate` is .*it must be \{ interval, check \}/);
  });
});
