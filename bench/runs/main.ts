import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Subject } from 'rxjs';
import { SseModule, SseService } from '../../lib/index.js';

/**
 * What a chunk of a run costs beside an event of `send()`, in one process: the same texts in the same
 * turns, to as many channels with one reader each.
 *
 *     npm run bench:runs -- [seconds] [rounds]
 */

const CHANNELS = 1_000;
/** Events of each channel in a second. */
const RATE = 50;
const TICK_MS = 10;
const TEXT = 'a token of an answer ';

const [seconds = 5, rounds = 3] = process.argv.slice(2).map(Number);

interface Measured {
  readonly cpuMicrosPerEvent: number;
  readonly p99Ms: number;
  readonly events: number;
}

/** Sends by `emit` at the rate for some seconds, and measures from the second second on. */
async function measured(emit: (channel: number) => void, read: () => number): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const perTick = (CHANNELS * RATE * TICK_MS) / 1_000;
  let emitted = 0;
  /** Emits what is due for each tick. A tick that is late gets no more: it would be a burst. */
  const run = async (ms: number): Promise<void> => {
    const until = performance.now() + ms;
    for (let next = performance.now(); next < until;) {
      for (let n = 0; n < perTick; n++) {
        emit(emitted++ % CHANNELS);
      }
      next = Math.max(next + TICK_MS, performance.now());
      await new Promise((resolve) => setTimeout(resolve, next - performance.now()));
    }
  };
  await run(1_000);
  const warm = emitted;
  const cpu = process.cpuUsage();
  delay.enable();
  await run(seconds * 1_000);
  while (read() < emitted) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  delay.disable();
  const { user, system } = process.cpuUsage(cpu);
  const events = emitted - warm;
  return {
    cpuMicrosPerEvent: (user + system) / events,
    p99Ms: delay.percentile(99) / 1e6,
    events,
  };
}

async function withService<R>(work: (sse: SseService) => Promise<R>): Promise<R> {
  const app = await NestFactory.createApplicationContext(SseModule.forRoot({ drainTimeout: 0 }), {
    logger: ['error', 'warn'],
  });
  try {
    return await work(app.get(SseService));
  } finally {
    await app.close();
  }
}

const PEERS: Record<string, () => Promise<Measured>> = {
  nothing: () => {
    let emitted = 0;
    return measured(
      () => emitted++,
      () => emitted,
    );
  },
  send: () =>
    withService((sse) => {
      let read = 0;
      for (let n = 0; n < CHANNELS; n++) {
        sse.stream(`channel:${n}`).subscribe(() => read++);
      }
      return measured(
        (n) => void sse.send(`channel:${n}`, TEXT),
        () => read,
      );
    }),
  runs: () =>
    withService(async (sse) => {
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
      return measured(
        (n) => sources[n]!.next(TEXT),
        () => read,
      );
    }),
};

const results: Record<string, Measured[]> = {};
for (let round = 1; round <= rounds; round++) {
  for (const [name, peer] of Object.entries(PEERS)) {
    const result = await peer();
    (results[name] ??= []).push(result);
    const { cpuMicrosPerEvent, p99Ms, events } = result;
    console.log(
      `${round} ${name.padEnd(8)} ${cpuMicrosPerEvent.toFixed(2)} µs of CPU per event, p99 of the event loop ` +
        `${p99Ms.toFixed(1)} ms, ${events} events`,
    );
  }
}

function median(name: string, of: (result: Measured) => number): number {
  const values = results[name]!.map(of).sort((a, b) => a - b);
  return values[values.length >> 1]!;
}

const cost = (name: string): number =>
  median(name, ({ cpuMicrosPerEvent }) => cpuMicrosPerEvent) -
  median('nothing', ({ cpuMicrosPerEvent }) => cpuMicrosPerEvent);
const p99 = median('runs', ({ p99Ms }) => p99Ms);
console.log(
  `A chunk costs ${(cost('runs') / cost('send')).toFixed(2)} of a send() in CPU (target: at most 1.2); with ` +
    `${CHANNELS} runs of ${RATE} chunks a second the p99 of the event loop is ${p99.toFixed(1)} ms (target: under 30).`,
);
