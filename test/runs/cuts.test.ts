import { Body, Controller, Param, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  channelName,
  SseChannel,
  SseService,
  type Broker,
  type SseModuleOptions,
} from '../../lib/index.js';
import { MemoryRuns } from '../../lib/sources/memory/memory-runs.js';
import { Random } from '../channel/random.js';
import { SYSTEMS, type System } from '../connections/systems.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';

const RUNS = sized({ quick: 30, soak: 200 });
const AT_ONCE = 10;
const INSTANCES = 3;

/** A source whose chunks say what they are, and that takes its time. */
async function* chunks(id: string, count: number, seed: number) {
  const random = new Random(seed);
  for (let n = 1; n <= count; n++) {
    yield `${id}:${n}`;
    if (random.chance(0.3)) {
      await sleep(random.below(4));
    }
  }
}

const expected = (id: string, count: number) => [
  ...Array.from({ length: count }, (_, index) => `${id}:${index + 1}`),
  '[DONE]',
];

@Controller('chat/:id')
class ChatController {
  constructor(private readonly sse: SseService) {}

  @Sse('', { method: RequestMethod.POST })
  @SseChannel()
  async ask(@Param('id') id: string, @Body() { count, seed }: { count: number; seed: number }) {
    const name = channelName('chat:{id}', { id });
    return (await this.sse.run(name, () => chunks(id, count, seed))).events$;
  }

  @Sse('stream')
  @SseChannel('chat:{id}', { run: true })
  follow() {}
}

/** Instances of one process that have their runs in common, as those of a real system do. */
async function inOneProcess(): Promise<System> {
  class SharedRuns extends MemoryRuns {
    override async close() {}
  }
  const runs = new SharedRuns();
  const broker: Broker = {
    open: (_channel, sink) => (sink.live(), { close: () => undefined }),
    publish: () => Promise.resolve('1'),
    openRuns: () => runs,
  };
  return { options: { broker }, forget: async () => undefined, stop: async () => undefined };
}

describe.each(Object.entries({ ...SYSTEMS, memory: inOneProcess }))(
  'Runs of three instances on %s',
  (_name, make) => {
    let system: System;
    let apps: TestApp[];

    beforeEach(async () => {
      system = await make();
      const options: SseModuleOptions = { drainTimeout: 0, ...system.options };
      apps = [];
      // One after the other: the first creates the event table.
      for (let n = 0; n < INSTANCES; n++) {
        apps.push(await startApp({ options, controllers: [ChatController] }));
      }
    });

    afterEach(async () => {
      await closeApps();
      await system.stop();
    });

    it('are whole for all who follow, though the connection that began them is cut anywhere', async () => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
      // eslint-disable-next-line no-console
      console.log(`SEED=${seed}`);
      const random = new Random(seed);
      const any = () => apps[random.below(INSTANCES)]!;

      const one = async (id: string): Promise<void> => {
        const count = 1 + random.below(60);
        const cut = random.below(count + 1);
        const asked = await any().connect(`/chat/${id}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ count, seed: random.below(1_000_000) }),
        });
        const early = await any().connect(`/chat/${id}/stream`);
        await asked.take(cut);
        await asked.close();
        const position = asked.lastEventId;
        const [run] = position.split('.');
        const reload = any();
        const [resumed, reloaded] = await Promise.all([
          any().connect(`/chat/${id}/stream`, { lastEventId: position }),
          reload.connect(`/chat/${id}/stream`),
        ]);
        // A run that has ended meanwhile is there for those who know its id.
        const followers = await Promise.all(
          [early, reloaded].map((client) =>
            client.opened.status === 204
              ? reload.connect(`/chat/${id}/stream`, { lastEventId: `${run}.0` })
              : client,
          ),
        );
        const all = expected(id, count);
        for (const client of followers) {
          await client.closed;
          expect(client.events.map(({ data }) => data)).toEqual(all);
        }
        await resumed.closed;
        const had = Number(position.split('.')[1]);
        expect(resumed.events.map(({ data }) => data)).toEqual(all.slice(had));
        expect(resumed.opened.status).toBe(had === all.length ? 204 : 200);
        expect(asked.events.map(({ data }) => data)).toEqual(all.slice(0, had));
      };

      for (let n = 0; n < RUNS; n += AT_ONCE) {
        await Promise.all(
          Array.from({ length: Math.min(AT_ONCE, RUNS - n) }, (_, index) => one(String(n + index))),
        );
      }
    });
  },
);
