import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Subject } from 'rxjs';
import { SseModule, SseService } from '../../lib/index.js';
import { CHANNELS, Measure, type Peer } from './measure.js';

/** A process of `bench:runs`: measures a second of one peer whenever it is told to. */

const TEXT = 'a token of an answer ';

async function service(): Promise<SseService> {
  const app = await NestFactory.createApplicationContext(SseModule.forRoot({ drainTimeout: 0 }), {
    logger: ['error', 'warn'],
  });
  return app.get(SseService);
}

const PEERS: Record<string, () => Promise<Peer>> = {
  async nothing() {
    let emitted = 0;
    return { emit: () => void emitted++, read: () => emitted };
  },

  async send() {
    const sse = await service();
    let read = 0;
    for (let n = 0; n < CHANNELS; n++) {
      sse.stream(`channel:${n}`).subscribe(() => read++);
    }
    return { emit: (n) => void sse.send(`channel:${n}`, TEXT), read: () => read };
  },

  async runs() {
    const sse = await service();
    let read = -CHANNELS;
    const sources: Subject<string>[] = [];
    for (let n = 0; n < CHANNELS; n++) {
      const source = new Subject<string>();
      sources.push(source);
      const begun = sse.run(`channel:${n}`, source, { bytes: Infinity });
      // The first value comes once the source is read.
      while (!source.observed) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      source.next(TEXT);
      (await begun).events$.subscribe(() => read++);
    }
    return { emit: (n) => sources[n]!.next(TEXT), read: () => read };
  },
};

const measure = new Measure(await PEERS[process.argv[2]!]!());
process.on('message', async () => process.send!(await measure.slice()));
process.on('disconnect', () => process.exit());
process.send!('ready');
