import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { z } from 'zod';
import { channelName, defineChannel, SseModule, SseService, unchecked } from '../../lib/index.js';

/**
 * What a typed send() costs beside a plain one, in CPU, with an event of 300 bytes and without readers, who
 * would be in all figures:
 *
 *     npm run bench:typed -- [rounds]
 *
 * The peers take turns in each round, so that what else the machine does meets all of them; the least
 * of each counts.
 */

/** The most times of a plain send() that a typed one may take, beside what zod takes alone. */
const MOST = 1.5;

const [rounds = 40] = process.argv.slice(2).map(Number);
const EVENTS = 2_000;

const schema = z.object({
  id: z.number(),
  state: z.enum(['waiting', 'active', 'done']),
  percent: z.number().min(0).max(100),
  title: z.string(),
  tags: z.array(z.string()),
  owner: z.object({ id: z.string(), name: z.string() }),
});
const Job = defineChannel('job:{id}', { progress: schema });
const Unchecked = defineChannel('job:{id}', { progress: unchecked<z.infer<typeof schema>>() });

const data: z.infer<typeof schema> = {
  id: 4_711,
  state: 'active',
  percent: 50,
  title: 'A title of some length. '.repeat(4),
  tags: ['one', 'two', 'three'],
  owner: { id: '0b2f6f0e-9d6c-4f0b-8e55-8d4cbf2b1f6a', name: 'Somebody' },
};
data.title = data.title.padEnd(data.title.length + 300 - JSON.stringify(data).length, '.');

function peersOf(sse: SseService): Record<string, (nth: number) => unknown> {
  const type = 'progress';
  return {
    'zod alone': () => schema['~standard'].validate(data),
    'send() to a name': () => sse.send('job:1', data, { type }),
    'send() to channelName()': () => sse.send(channelName('job:{id}', { id: 1 }), data, { type }),
    'to().send(), unchecked': () => sse.to(Unchecked, { id: 1 }).send(type, data),
    'to().send(), zod': () => sse.to(Job, { id: 1 }).send(type, data),
  };
}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(SseModule.forRoot({ drainTimeout: 0 }), {
    logger: ['error', 'warn'],
  });
  const peers = Object.entries(peersOf(app.get(SseService)));
  const least = new Map<string, number>();
  for (let round = -3; round < rounds; round++) {
    for (const [name, call] of peers) {
      const before = process.cpuUsage();
      for (let nth = 0; nth < EVENTS; nth += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, index) => call(nth + index)));
      }
      const { user, system } = process.cpuUsage(before);
      const cpu = (user + system) / EVENTS;
      if (round >= 0) {
        least.set(name, Math.min(least.get(name) ?? Infinity, cpu));
      }
    }
  }
  await app.close();
  const [zod, plain] = [least.get('zod alone')!, least.get('send() to a name')!];
  console.log(`${JSON.stringify(data).length} bytes, ${rounds} rounds of ${EVENTS} events`);
  for (const [name, cpu] of least) {
    console.log(
      `${name.padEnd(26)} ${cpu.toFixed(2)} us   ${(cpu / plain).toFixed(2)} × send()   ` +
        `without zod ${((cpu - (name.endsWith('zod') ? zod : 0)) / plain).toFixed(2)}`,
    );
  }
  const times = (least.get('to().send(), zod')! - zod) / plain;
  const isKept = times <= MOST;
  console.log(
    `A typed send with zod is ${times.toFixed(2)} × an untyped send plus zod's own parse: ` +
      `${isKept ? 'within' : 'MORE THAN'} the ${MOST} × that it may be`,
  );
  if (!isKept) {
    process.exitCode = 1;
  }
}

void main();
