import { afterEach, describe, expect, it } from '@jest/globals';
import type { SseService } from '../../lib/index.js';
import { Random } from '../channel/random.js';
import { startProxy } from '../support/proxy.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp } from '../support/start-app.js';
import { arrived, dataOf } from './arrived.js';
import { SYSTEMS } from './systems.js';

const EVENTS = sized({ quick: 500, soak: 10_000 });
const CHANNELS = 4;
/** How many events are under way at a time. */
const WORKERS = 10;
/** One of so many replies is lost, with its connection. */
const LOST_OF = 10;

const { memory: _, ...systems } = SYSTEMS;

describe.each(Object.entries(systems))(
  'A publisher that sends again, with %s',
  (__, startSystem) => {
    afterEach(closeApps);

    it('has each event there once, and gets its id, when one in ten replies is lost', async () => {
      const system = await startSystem();
      const proxy = await startProxy(system.url);
      try {
        const straight = (await startApp({ options: system.options })).sse;
        const lossy: SseService[] = [];
        for (let nth = 0; nth < 2; nth++) {
          lossy.push((await startApp({ options: system.through(proxy) })).sse);
        }
        const random = new Random(7);
        const isNextLost = random.deck(Array.from({ length: LOST_OF }, (___, nth) => nth === 0));
        let lost = 0;
        proxy.cutAt(() => () => {
          const isLost = isNextLost();
          lost += isLost ? 1 : 0;
          return isLost ? 0 : -1;
        });
        proxy.cut();

        const ids = new Map<number, string>();
        let next = 0;
        const send = async (nth: number): Promise<string> => {
          for (;;) {
            try {
              const sse = lossy[random.below(lossy.length)]!;
              return await sse.send(`lossy-${nth % CHANNELS}`, `${nth}`, {
                idempotencyKey: `key ${nth}`,
              });
            } catch (error) {
              expect(error).toMatchObject({ code: 'UNAVAILABLE' });
            }
          }
        };
        await Promise.all(
          Array.from({ length: WORKERS }, async () => {
            while (next < EVENTS) {
              const nth = next++;
              ids.set(nth, await send(nth));
            }
          }),
        );
        proxy.cutAt(undefined);

        const texts = Array.from({ length: EVENTS }, (___, nth) => `${nth}`);
        const channels = Array.from({ length: CHANNELS }, (___, nth) => `lossy-${nth}`);
        const events = (
          await Promise.all(channels.map((channel) => arrived(straight, channel)))
        ).flat();
        expect(dataOf(events).sort()).toEqual(texts.sort());
        expect(events.map(({ id, data }) => id === ids.get(Number(data)))).not.toContain(false);
        // One more retry of each, when nothing is lost any more.
        const again = await straight.sendAll(
          texts.map((text) => ({
            channel: `lossy-${Number(text) % CHANNELS}`,
            data: 'again',
            idempotencyKey: `key ${text}`,
          })),
        );
        expect(again).toEqual(
          texts.map((text) => ({ status: 'sent', id: ids.get(Number(text)), duplicate: true })),
        );
        // Each worker waits for its replies: those of ten sends at most come in one piece.
        expect(lost).toBeGreaterThanOrEqual(Math.floor(EVENTS / WORKERS / LOST_OF));
      } finally {
        await closeApps();
        await proxy.close();
        await system.stop();
      }
    });
  },
);
