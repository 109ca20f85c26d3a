import { Controller, Injectable, Scope, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import {
  SseChannel,
  SseEvents,
  SseModule,
  SseService,
  type ChannelFeed,
  type ChannelHistory,
  type ChannelSink,
  type ChannelSource,
  type HistoryPage,
  type SourceOption,
  type SseEvent,
} from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const place = (position: string): number => Number(position.slice(1));

/** A source with a history of its own: everything that was ever written, on one numbering. */
@Injectable()
class JournalSource implements ChannelSource, ChannelHistory {
  readonly events: { readonly position: string; readonly data: string; readonly end?: boolean }[] =
    [];
  opened = 0;
  closed = 0;
  reads = 0;
  failures = 0;
  /** How many of the oldest events are gone. */
  trimmed = 0;
  private sink: ChannelSink | undefined;

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    this.opened++;
    this.sink = sink;
    sink.live(`p${this.events.length}`);
    return {
      history: this,
      close: () => {
        this.closed++;
        this.sink = undefined;
      },
    };
  }

  write(data: string, end = false): void {
    const event = { position: `p${this.events.length + 1}`, data, end };
    this.events.push(event);
    this.sink?.append(event);
  }

  compare(a: string, b: string): number {
    return place(a) - place(b);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    this.reads++;
    await new Promise(setImmediate);
    if (this.failures > 0) {
      this.failures--;
      throw new Error('The journal cannot be read.');
    }
    const after = position === undefined ? this.trimmed : place(position);
    if (!(after >= 0 && after <= this.events.length)) {
      return { events: [], last: true, reset: 'unknown-position' };
    }
    if (after < this.trimmed) {
      return { events: [], last: true, reset: 'trimmed' };
    }
    const events = this.events.slice(after, after + limit);
    const ended = position !== undefined && this.events[after - 1]?.end === true;
    return { events, last: after + events.length === this.events.length, ended };
  }
}

const JOURNAL = Symbol('JOURNAL');
const journal = new JournalSource();

@Controller()
class JournalController {
  constructor(private readonly sse: SseService) {}

  @Sse('object')
  @SseChannel('journal', { source: journal })
  object() {}

  @Sse('class')
  @SseChannel('journal', { source: JournalSource })
  class() {}

  @Sse('symbol')
  @SseChannel('journal', { source: JOURNAL })
  symbol() {}

  @Sse('handled')
  @SseChannel('journal', { source: JOURNAL })
  handled(@SseEvents() events$: Observable<SseEvent<string>>) {
    return events$.pipe(map(({ data }) => ({ data: String(data) })));
  }

  @Sse('service')
  @SseChannel()
  service() {
    return this.sse.stream('journal', { source: journal });
  }
}

describe.each(ADAPTERS)('A ChannelSource on %s', (adapter) => {
  afterEach(async () => {
    await closeApps();
    expect(journal.closed).toBe(journal.opened);
    Object.assign(journal, { opened: 0, closed: 0, reads: 0, failures: 0, trimmed: 0 });
    journal.events.length = 0;
  });

  const start = (options = {}) =>
    startApp({
      adapter,
      options,
      controllers: [JournalController],
      providers: [JournalSource, { provide: JOURNAL, useValue: journal }],
    });

  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `${from + i}`);

  it.each(['/object', '/class', '/symbol', '/handled', '/service'])('feeds %s', async (path) => {
    const { app, connect, sse } = await start();
    const source = path === '/class' ? app.get(JournalSource) : journal;
    const clients = [await connect(path), await connect(path)];
    await until(() => sse.stats().readers === 2);
    expect(source.opened).toBe(1);
    source.write('live');
    for (const client of clients) {
      expect(await client.next()).toMatchObject({ data: 'live', id: 'p1' });
    }
  });

  describe('when Nest cannot find it', () => {
    class Unknown extends JournalSource {}
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends JournalSource {}
    class NoSource {}

    it.each<[string, SourceOption, string]>([
      ['a class that no module provides', Unknown, 'the class Unknown, which no module provides'],
      ['a symbol', Symbol('NOWHERE'), 'Symbol(NOWHERE), which no module provides'],
      ['of each request', PerRequest, 'the class PerRequest, which is not one object for all'],
      ['no source', NoSource as never, '`source` is an object; it must be'],
    ])('keeps the application from starting: %s', async (_, source, message) => {
      @Controller()
      class LostController {
        @Sse('events')
        @SseChannel('journal', { source })
        events() {}
      }
      const starting = startApp({
        adapter,
        controllers: [LostController],
        providers: [PerRequest, NoSource],
      });
      await expect(starting).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(message),
      });
      await expect(starting).rejects.toThrow('@SseChannel() on LostController.events: ');
    });

    it('makes forRoot() throw when it is the broker, given as a class', () => {
      expect(() => SseModule.forRoot({ broker: JournalSource as never })).toThrow(
        /`broker` is a function; it must be 'memory'.* an object with `open` and `publish`/,
      );
    });
  });

  it.each(['/symbol', '/handled'])(
    'gives %s its history in pages, and continues live without a gap',
    async (path) => {
      const { connect } = await start({ retain: { events: 50 } });
      for (const data of numbers(0, 1_000)) {
        journal.write(data);
      }
      let isWriting = true;
      const writing = (async () => {
        while (isWriting) {
          journal.write(`${journal.events.length}`);
          await new Promise(setImmediate);
        }
      })();
      const clients = await Promise.all(
        ['earliest', 'p0', 'p1', 'p255', 'p256', 'p257', 'p700', 'p1000'].map((lastEventId) =>
          connect(path, { lastEventId }),
        ),
      );
      const firsts = [0, 0, 1, 255, 256, 257, 700, 1_000];
      await until(() => clients.every(({ events }) => events.length > 0));
      const seen = journal.events.length;
      await until(() => journal.events.length > seen + 300);
      isWriting = false;
      await writing;
      const total = journal.events.length;
      await until(() => clients.every(({ events }) => events.at(-1)?.data === `${total - 1}`));
      for (const [index, { events }] of clients.entries()) {
        expect(events.map(({ data }) => data)).toEqual(numbers(firsts[index]!, total));
        expect(events.at(-1)!.id).toBe(`p${total}`);
      }
      expect(journal.reads).toBeGreaterThan(8);
    },
  );

  it("never makes the stream name a position ahead of the client's", async () => {
    const { connect } = await start({ retain: { events: 2 } });
    const first = await connect('/symbol');
    for (const data of numbers(0, 300)) {
      journal.write(data);
    }
    await first.take(300);
    const client = await connect('/symbol', { lastEventId: 'p3' });
    await client.take(297);
    expect(client.frames[0]!.id).toBe('p3');
    const earliest = await connect('/symbol', { lastEventId: 'earliest' });
    await earliest.take(300);
    expect(earliest.frames[0]!.id).toBeUndefined();
  });

  it('gets another call for its history after two failures', async () => {
    const { connect } = await start({ readyTimeout: 50, retain: { events: 2 } });
    for (const data of numbers(0, 10)) {
      journal.write(data);
    }
    journal.failures = 2;
    const client = await connect('/symbol', { lastEventId: 'p4' });
    journal.write('10');
    expect((await client.take(7)).map(({ data }) => data)).toEqual(numbers(4, 11));
    expect(journal.reads).toBeGreaterThan(2);
  });

  it('causes a reset when its history is trimmed or lacks the position', async () => {
    const { connect } = await start();
    for (const data of numbers(0, 10)) {
      journal.write(data);
    }
    journal.trimmed = 5;
    for (const [lastEventId, reason] of [
      ['p3', 'trimmed'],
      ['p99', 'unknown-position'],
      ['elsewhere', 'unknown-position'],
    ] as const) {
      const client = await connect('/symbol', { lastEventId });
      const reset = await client.next();
      expect(JSON.parse(reset.data)).toEqual({ channel: 'journal', reason });
      // Whether the newest event has ended its run, only the source knows.
      expect(reset.id).toMatch(new RegExp(`^p${journal.events.length}(~next)?$`));
      journal.write(`${journal.events.length}`);
      expect((await client.next()).data).toBe(`${journal.events.length - 1}`);
    }
    const earliest = await connect('/symbol', { lastEventId: 'earliest' });
    expect((await earliest.take(8)).map(({ data }) => data)).toEqual(numbers(5, 13));
  });

  it('knows that a run has ended', async () => {
    const { connect } = await start();
    journal.write('one');
    journal.write('[DONE]', true);
    const ended = await connect('/symbol', { lastEventId: 'p2' });
    expect(ended.opened.status).toBe(204);
    const client = await connect('/symbol', { lastEventId: 'p1' });
    expect((await client.next()).data).toBe('[DONE]');
    expect((await client.closed).by).toBe('server');
  });

  it('ends the stream when it reports the end of a run, even late', async () => {
    const { connect } = await start({ readyTimeout: 20 });
    journal.write('one');
    journal.write('[DONE]', true);
    journal.failures = 1;
    const client = await connect('/symbol', { lastEventId: 'p2' });
    expect(client.opened.status).toBe(200);
    journal.write('next run');
    expect((await client.closed).by).toBe('server');
    expect(client.events).toEqual([]);
    expect((await connect('/symbol', { lastEventId: 'p2' })).opened.status).toBe(204);
  });

  it('gives a client that stops reading every event once it reads on', async () => {
    const { connect } = await start({ retain: { events: 10 } });
    const client = await connect('/symbol');
    await until(() => client.lastEventId);
    client.pause();
    const text = 'x'.repeat(1_000);
    for (let i = 0; i < 20_000; i++) {
      journal.write(`${i} ${text}`);
      if (i % 1_000 === 0) {
        await new Promise(setImmediate);
      }
    }
    client.resume();
    await until(() => client.events.length >= 20_000);
    expect(client.events.map(({ data }) => Number.parseInt(data))).toEqual(
      Array.from({ length: 20_000 }, (_, i) => i),
    );
    expect(journal.reads).toBeGreaterThan(0);
  });
});
