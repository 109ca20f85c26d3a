import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestedChannels, SseChannel, type SseModuleOptions } from '../../lib/index.js';
import { Random } from '../channel/random.js';
import { SYSTEMS, type System } from '../connections/systems.js';
import { sized } from '../support/soak.js';
import { closeApps, startApp, type AppOptions, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { PositionsClient, type HttpVersion } from './positions-client.js';

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels({ only: ['job:{id}'] }))
  stream() {}
}

const SERVERS: Record<string, () => [AppOptions, HttpVersion]> = {
  'Express, HTTP/1.1': () => [{ adapter: 'express' }, '1.1'],
  'Fastify, HTTP/1.1': () => [{ adapter: 'fastify' }, '1.1'],
  'Fastify, HTTP/2': () => [{ httpAdapter: new FastifyAdapter({ http2: true }) }, '2'],
};

const CUTS = sized({ quick: 20, soak: 500 });
const WRITERS = 8;
const PER_WRITER = 10;

describe.each(Object.entries(SYSTEMS))('Many channels on one connection on %s', (name, make) => {
  let system: System;
  beforeAll(async () => void (system = await make()));
  afterEach(closeApps);
  afterAll(() => system.stop());

  it.each(Object.keys(SERVERS))(
    'lose and repeat nothing while the connection is cut anywhere, on %s',
    async (server) => {
      const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
      const random = new Random(seed);
      const [, version] = SERVERS[server]!();
      const options: SseModuleOptions = {
        retain: { events: 100_000, bytes: 100_000_000 },
        drainTimeout: 0,
        ...system.options,
      };
      const apps: TestApp[] = [];
      // In memory an instance has its own channels.
      for (let n = name === 'memory' ? 1 : 0; n < 2; n++) {
        apps.push(
          await startApp({ ...SERVERS[server]!()[0], options, controllers: [StreamController] }),
        );
      }
      const any = (): TestApp => apps[random.below(apps.length)]!;
      const channels = Array.from(
        { length: 20 + random.below(141) },
        (_, n) => `job:${server.replace(/\W/g, '')}${n}`,
      );
      const sent = new Map(channels.map((channel) => [channel, 0]));
      const send = async (channel: string): Promise<void> => {
        const number = sent.get(channel)!;
        sent.set(channel, number + 1);
        await any().sse.send(channel, `${number} ${'x'.repeat(random.below(200))}`);
      };

      // Some channels have events already, and are read from the first.
      const early = channels.filter(() => random.chance(0.2));
      for (const channel of early) {
        await send(channel);
      }
      const from = Object.fromEntries(early.map((channel) => [channel, 'earliest']));
      const client = new PositionsClient(channels, from, version);
      await client.connect(`${any().url}/stream`);
      expect(channels.filter((each) => !from[each] && !client.positionIn(each))).toEqual([]);

      const total = (): number => [...sent.values()].reduce((sum, each) => sum + each);
      for (let cut = 0; cut < CUTS; cut++) {
        const start = total();
        // The events of a channel have one order, as each is sent after the one before.
        const sending = Promise.all(
          Array.from({ length: WRITERS }, async (_, writer) => {
            const own = channels.filter((_each, n) => n % WRITERS === writer);
            for (let n = 0; n < PER_WRITER; n++) {
              await send(own[random.below(own.length)]!);
              if (random.chance(0.1)) {
                await sleep(random.below(3));
              }
            }
          }),
        );
        const goal = start + random.below(WRITERS * PER_WRITER);
        await until(() => client.count >= goal);
        client.cut();
        if (random.chance(0.3)) {
          await sending;
        }
        await client.connect(`${any().url}/stream`);
        expect(client.status).toBe(200);
        await sending;
      }
      await until(() => client.count >= total());
      client.cut();

      const numbers = channels.map((each) => client.dataOf(each).map((text) => parseInt(text, 10)));
      const expected = channels.map((each) => Array.from({ length: sent.get(each)! }, (_, n) => n));
      expect({ seed, numbers }).toEqual({ seed, numbers: expected });
      expect(client.others).toEqual([]);
      expect(client.streams).toBe(CUTS + 1);
      expect(client.longestId).toBeLessThanOrEqual(40);
    },
  );
});
