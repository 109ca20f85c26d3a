import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { Channel } from '../../lib/channel/channel.js';
import { Cursor } from '../../lib/channel/cursor.js';
import { EARLIEST, isNextAfter } from '../../lib/channel/start-position.js';
import { holds } from '../support/property.js';
import { ModelSource } from './model-source.js';
import { REACHING } from './reaching-schedules.js';
import { schedule, type From, type Schedule, type Step } from './schedule.js';
import { expectNothingWrong, noSightings, Witness, type Sightings } from './witness.js';

/** A reader of one channel, with the id that a client would return with. */
class ModelReader {
  readonly cursor: Cursor;
  readonly witness: Witness;
  lastEventId: string | undefined;
  /** It has received the end of its run. */
  hasReceivedEnd = false;
  isClosed = false;

  constructor(
    private readonly channel: Channel,
    private readonly source: ModelSource,
    seen: Sightings,
  ) {
    this.cursor = new Cursor(channel, { pull: () => undefined });
    this.witness = new Witness(source, seen, source.head);
    this.isAt(this.cursor.position);
  }

  read(count: number): void {
    for (let read = 0; read < count && !this.isClosed; read++) {
      // There is never that much to read: it goes round in circles.
      expect(read).toBeLessThan(MOST_READS);
      const state = this.cursor.next();
      if (state === 'log' || state === 'page' || state === 'reset') {
        const entry = this.cursor.take();
        if (entry.type === 'sse:reset') {
          this.told((JSON.parse(entry.data) as { reason: string }).reason, entry.id || undefined);
        } else {
          this.lastEventId = entry.id;
          const [generation, number] = entry.data.split('.').map(Number);
          this.witness.event({ generation: generation!, number: number! });
        }
        if (entry.end) {
          this.hasReceivedEnd = true;
          this.close();
        }
      } else if (state === 'ended') {
        this.close();
      } else {
        return;
      }
    }
  }

  close(): void {
    this.isClosed = true;
    this.cursor.close();
  }

  get isAtHead(): boolean {
    return this.cursor.next() === 'idle' && this.cursor.seq === this.channel.log.head;
  }

  private told(reason: string, id: string | undefined): void {
    this.isAt(id);
    this.witness.reset(reason, id);
  }

  /** It is told a position without an event. That is never the one of an end: it has not received that. */
  private isAt(id: string | undefined): void {
    if (id !== undefined) {
      this.lastEventId = id;
      expect([id, this.source.isEnd(id)]).toEqual([id, false]);
    }
  }
}

/** More than any schedule writes. */
const MOST_READS = 10_000;

/** Lets promises that are settled take effect. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) {
    await Promise.resolve();
  }
}

/** How often what matters beside resets has happened. */
const noCounts = () => ({ reads: 0, ends: 0, turnedAway: 0, waited: 0, graces: 0 });

/** Runs a schedule, and in the end lets every reader catch up. */
async function run({ hasHistory, retain, steps }: Schedule, seen: Sightings) {
  const counts = noCounts();
  const source = new ModelSource(hasHistory);
  const channel = new Channel('model', { ...retain, eventSize: 1_000 }, () => undefined);
  source.headPosition = () => channel.log.headPosition;
  source.write(Array.from({ length: 5 }, () => ({})));
  channel.feedFrom(source.open('model', channel));
  const readers: ModelReader[] = [];
  const left: ModelReader[] = [];
  const ids: string[] = [];

  const connect = async (from: From, pick: number): Promise<void> => {
    const before = left[pick % (left.length || 1)];
    const id = {
      live: undefined,
      last: before?.lastEventId,
      seen: ids[pick % (ids.length || 1)],
      earliest: EARLIEST,
      own: `own ${source.generation} ${pick % (source.written + 2)}`,
      nonsense: ['7.7', '1.-1', '1.2~next', 'own x', '-', '~next'][pick % 6],
    }[from];
    const reader = new ModelReader(channel, source, seen);
    if (id !== undefined) {
      const opened = isNextAfter(id);
      const reads = source.reads;
      const place = ['last', 'seen', 'own'].includes(from) ? source.placeOf(id) : undefined;
      const resuming = reader.cursor.resume(id);
      reader.witness.place = place;
      // What was told is a position: who does not read a thing returns with the same.
      reader.lastEventId = id === EARLIEST ? undefined : id;
      await settle();
      void resuming;
      counts.reads += source.reads - reads;
      if (reader.cursor.hasEnded) {
        counts.turnedAway++;
        expect([id, source.isEnd(id)]).toEqual([id, true]);
        reader.close();
        return;
      }
      counts.waited += opened ? 1 : 0;
    }
    readers.push(reader);
  };

  const pickOpen = (pick: number): ModelReader | undefined => readers[pick % (readers.length || 1)];

  const take = async (step: Step): Promise<void> => {
    switch (step.do) {
      case 'write':
        source.write(step.events);
        if (step.append) {
          source.append();
        }
        break;
      case 'append':
        source.append();
        break;
      case 'pass':
        counts.graces += channel.log.first < channel.log.retained ? 1 : 0;
        jest.advanceTimersByTime(step.ms);
        channel.log.trim(performance.now());
        await settle();
        break;
      case 'trim':
        source.trim(step.share);
        break;
      case 'replace':
        source.append();
        source.replace(step.count);
        break;
      case 'reset':
        source.append();
        source.reset(step.reason, step.withPosition);
        break;
      case 'answering':
        source.answering = step.how;
        source.pageSize = step.pageSize;
        break;
      case 'answer':
        source.answer();
        await settle();
        break;
      case 'connect':
        await connect(step.from, step.pick);
        break;
      case 'read': {
        const reader = pickOpen(step.pick);
        reader?.read(step.count);
        await settle();
        break;
      }
      case 'leave': {
        const reader = pickOpen(step.pick);
        reader?.close();
        break;
      }
      default:
    }
    for (const reader of readers.filter(({ isClosed }) => isClosed)) {
      readers.splice(readers.indexOf(reader), 1);
      left.push(reader);
      counts.ends += reader.hasReceivedEnd ? 1 : 0;
    }
    ids.push(...readers.flatMap(({ lastEventId }) => lastEventId ?? []).slice(-2));
  };

  for (const step of steps) {
    await take(step);
  }
  source.answering = 'at once';
  source.pageSize = 256;
  source.append();
  source.answer();
  for (let round = 0; round < 40; round++) {
    await settle();
    readers.forEach((reader) => reader.read(Infinity));
    jest.advanceTimersByTime(1_000);
  }
  for (const reader of readers.filter(({ isClosed }) => !isClosed)) {
    expect(reader.isAtHead).toBe(true);
    reader.witness.expectAtEnd();
    reader.close();
  }
  expect(channel.places.size).toBe(0);
  return counts;
}

describe('Cursors', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('give what a source appends once and in order, or a reset where something may be missing', async () => {
    const seen = noSightings();
    const aims = new Map(Object.entries(REACHING).map(([aim, each]) => [each, aim]));
    const missed = new Set(aims.values());
    await holds(
      fc.asyncProperty(schedule, async (each) => {
        const own = noSightings();
        const found: Record<string, number> = { ...(await run(each, own)), ...own.resets };
        expectNothingWrong(own);
        if (found[aims.get(each) ?? '']) {
          missed.delete(aims.get(each)!);
        }
        seen.events += own.events;
      }),
      { quick: 80, soak: 30_000 },
      Object.values(REACHING).map((each) => [each]),
    );
    expect([...missed]).toEqual([]);
    expect(seen.events).toBeGreaterThan(2_000);
  });
});
