import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../lib/channel/channel.js';
import { monotonicNow } from '../../lib/channel/clock.js';
import { Cursor } from '../../lib/channel/cursor.js';
import type { ChannelHistory, HistoryPage } from '../../lib/channel/source.js';
import { EARLIEST } from '../../lib/channel/start-position.js';
import { sized } from '../support/soak.js';
import { until } from '../support/until.js';
import { Random } from './random.js';

const RUNS = sized({ quick: 300, soak: 20_000 });
const STEPS = 200;

/** The events of a channel are numbers that count up: what is missing shows. */
class CountedReader {
  readonly cursor: Cursor;
  /** The last number read, or told to be passed over; unknown before the first. */
  last: number | undefined;
  /** The id of the last frame, as a client would return with it. */
  id: string | undefined;
  resets = 0;
  count = 0;

  constructor(
    private readonly channel: Channel,
    private readonly numberAt: (position: string) => number | undefined,
  ) {
    this.cursor = new Cursor(channel, { pull: () => undefined });
  }

  /** Reads up to this many events, and throws at the first that is out of order. */
  read(limit: number): void {
    for (let i = 0; i < limit; i++) {
      const state = this.cursor.next();
      if (state === 'reset') {
        this.id = this.cursor.skipToHead();
        this.last = this.id === undefined ? undefined : this.numberAt(this.id.replace('~next', ''));
        this.resets++;
      } else if (state === 'log' || state === 'page') {
        const entry = this.cursor.peek();
        const number = Number(entry.data);
        if (this.last !== undefined && number !== this.last + 1) {
          throw new Error(`After ${this.last} came ${number}, without a reset.`);
        }
        this.last = number;
        this.id = entry.id;
        this.count++;
        this.cursor.shift();
      } else {
        return;
      }
    }
  }

  get isAtHead(): boolean {
    return this.cursor.next() === 'idle' && this.cursor.seq === this.channel.log.head;
  }
}

const withSeed = async (seed: number, run: (random: Random) => void | Promise<void>) => {
  try {
    await run(new Random(seed));
  } catch (error) {
    throw new Error(`With the seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
};

const seeds = Array.from({ length: RUNS }, (_, i) => (Date.now() + i * 7_919) >>> 0);

describe('Cursors', () => {
  it(`read contiguous sequences or announce a reset, in ${RUNS} random runs`, async () => {
    console.log(`Seeds from ${seeds[0]}, every 7,919th.`);
    let events = 0;
    let resets = 0;
    for (const seed of seeds) {
      await withSeed(seed, (random) => {
        const limits = {
          events: 1 + random.below(20),
          bytes: random.chance(0.3) ? 129 + random.below(2_000) : Infinity,
          age: 300_000,
          eventSize: Infinity,
        };
        const channel = new Channel('model', limits, () => undefined);
        channel.live();
        const ids = new Map<string, number>([[channel.log.headPosition!, 0]]);
        const numberAt = (id: string) => ids.get(id);
        const readers: CountedReader[] = [];
        let appended = 0;
        for (let step = 0; step < STEPS; step++) {
          const choice = random.next();
          if (choice < 0.5) {
            for (let i = random.below(8); i >= 0; i--) {
              const own = random.chance(0.2) ? { id: `own ${appended + 1}` } : {};
              ids.set(channel.append({ data: `${++appended}`, ...own }), appended);
              ids.set(channel.log.headPosition!, appended);
            }
          } else if (choice < 0.55) {
            // Time passes, for entries that only attached readers still see.
            channel.log.trim(monotonicNow() + 1_001);
          } else if (choice < 0.6 || readers.length === 0) {
            const reader = new CountedReader(channel, numberAt);
            reader.last = appended;
            readers.push(reader);
          } else if (choice < 0.7) {
            const left = readers[random.below(readers.length)]!;
            const known = [...ids.keys()];
            const id = random.chance(0.5) ? left.id : known[random.below(known.length)];
            const reader = new CountedReader(channel, numberAt);
            const lastEventId = random.chance(0.1) ? EARLIEST : (id ?? 'unknown');
            expect(reader.cursor.resume(lastEventId)).toBeUndefined();
            reader.last = lastEventId === EARLIEST ? undefined : ids.get(lastEventId);
            readers.push(reader);
          } else {
            readers[random.below(readers.length)]!.read(1 + random.below(10));
          }
        }
        for (const reader of readers) {
          reader.read(Infinity);
          expect(reader.isAtHead).toBe(true);
          expect(reader.last ?? appended).toBe(appended);
          events += reader.count;
          resets += reader.resets;
        }
      });
    }
    expect(events).toBeGreaterThan(RUNS);
    expect(resets).toBeGreaterThan(0);
  });

  it('join a history that is read late, early, in pages and in vain', async () => {
    let events = 0;
    let pages = 0;
    for (const seed of seeds.slice(0, RUNS / 3)) {
      await withSeed(seed, async (random) => {
        const channel = new Channel(
          'model',
          { events: 1 + random.below(10), bytes: Infinity, age: 300_000, eventSize: Infinity },
          () => undefined,
        );
        const journal: string[] = [];
        let trimmed = 0;
        const compare = (a: string, b: string) => Number(a) - Number(b);
        const read = async (position: string | undefined, limit: number): Promise<HistoryPage> => {
          pages++;
          for (let i = random.below(4); i > 0; i--) {
            await new Promise(setImmediate);
          }
          const after = position === undefined ? trimmed : Number(position);
          if (after < trimmed) {
            return { events: [], last: true, reset: 'trimmed' };
          }
          const found = journal
            .slice(after, after + Math.min(limit, 1 + random.below(20)))
            .map((data) => ({ position: data, data }));
          const last = after + found.length >= journal.length;
          if (random.chance(0.5)) {
            await new Promise(setImmediate);
          }
          return { events: found, last };
        };
        const history: ChannelHistory = { compare, read };
        channel.feedFrom({ history, close: () => undefined });
        for (let i = random.below(100); i > 0; i--) {
          journal.push(`${journal.length + 1}`);
        }
        channel.live(`${journal.length}`);
        // The source appends what it wrote a little later, as a notification arrives.
        let announced = journal.length;
        const announce = () => {
          while (announced < journal.length) {
            const position = `${++announced}`;
            channel.append({ data: position, position });
          }
        };
        const readers: CountedReader[] = [];
        // Clients that return together, at the same position or at others.
        let position = 0;
        const resume = async () => {
          const reader = new CountedReader(channel, Number);
          if (random.chance(0.5)) {
            position = trimmed + random.below(journal.length - trimmed + 1);
          }
          reader.last = position;
          readers.push(reader);
          await reader.cursor.resume(`${position}`);
        };
        const resuming: Promise<void>[] = [];
        for (let step = 0; step < 100; step++) {
          const choice = random.next();
          if (choice < 0.4) {
            for (let i = random.below(10); i >= 0; i--) {
              journal.push(`${journal.length + 1}`);
            }
            if (random.chance(0.7)) {
              announce();
            }
          } else if (choice < 0.5) {
            resuming.push(resume());
          } else if (choice < 0.55) {
            channel.log.trim(monotonicNow() + 1_001);
          } else if (choice < 0.57) {
            trimmed = random.below(announced + 1);
          } else if (choice < 0.8 && readers.length > 0) {
            readers[random.below(readers.length)]!.read(1 + random.below(30));
          } else {
            await new Promise(setImmediate);
          }
        }
        announce();
        await Promise.all(resuming);
        await until(
          () => {
            readers.forEach((reader) => reader.read(Infinity));
            return readers.every((reader) => reader.isAtHead);
          },
          { what: 'all readers at the head', every: 1 },
        );
        for (const reader of readers) {
          expect(reader.last).toBe(journal.length);
          events += reader.count;
        }
      });
    }
    expect(events).toBeGreaterThan(RUNS);
    expect(pages).toBeGreaterThan(RUNS);
  });
});
