import { describe, expect, it } from '@jest/globals';
import type { ChannelSink, HistoryEvent, HistoryPage } from '../../lib/channel/source.js';
import type { Overflow } from '../../lib/delivery/overflow.js';
import { until } from '../support/until.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { ClientRig } from './client-rig.js';

/** Prices of two shares, numbered through, with everything from the first on in a history. */
class Prices {
  readonly written: HistoryEvent[] = [];
  private sink: ChannelSink | undefined;
  /** Holds a page of history back. */
  gate: Promise<void> = Promise.resolve();

  constructor(private readonly filler: string) {}

  open(_channel: string, sink: ChannelSink) {
    this.sink = sink;
    sink.live(`${this.written.length}`);
    return { history: this, close: () => undefined };
  }

  write(count: number): void {
    for (let i = 0; i < count; i++) {
      const number = this.written.length + 1;
      const event = {
        position: `${number}`,
        data: JSON.stringify({ share: number % 2 ? 'odd' : 'even', number, filler: this.filler }),
      };
      this.written.push(event);
      this.sink?.append(event);
    }
  }

  compare(a: string, b: string): number {
    return Number(a) - Number(b);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const after = Number(position ?? 0);
    const events = this.written.slice(after, after + limit);
    const last = after + events.length === this.written.length;
    await this.gate;
    return { events, last };
  }
}

const overflow: Overflow = {
  latest: ({ data }) => (data as { share: string }).share,
};

const numbersOf = (data: readonly string[]) =>
  data.map((text) => (JSON.parse(text) as { number: number }).number);

describe('A client with overflow: { latest }', () => {
  it.each([
    ['within a page', 400],
    ['between two pages', 0],
  ])(
    'that reads history and lags %s gets every event at most once, and none behind a newer one of its key',
    async (_, filler) => {
      const rig = new ClientRig({ readyTimeout: 10 });
      const source = new Prices('x'.repeat(filler));
      const requests = [{ source, name: 'prices' }];
      // Before the channel is opened, so that only the history has it.
      source.write(600);
      let release!: () => void;
      const hold = () => (source.gate = new Promise((resolve) => (release = resolve)));
      const client = await rig.connect(requests, { lastEventId: '3', overflow });
      client.stall();
      hold();
      // The first write of the page finds the socket full; then it drains, as news arrive.
      for (let round = 0; round < 4; round++) {
        source.write(50);
        await new Promise(setImmediate);
        client.readOn();
        await new Promise(setImmediate);
        client.stall();
      }
      client.readOn();
      release();
      await until(() => client.data.at(-1)?.includes(`"number":${source.written.length},`));
      const numbers = numbersOf(client.data);
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
      expect(client.events.map(({ type }) => type)).not.toContain('sse:reset');
      rig.close();
    },
  );

  it.each([
    ['of little data, at once', 10, Infinity],
    ['of much data, block by block', 10_000, Infinity],
    ['each of which fills a block', 40_000, Infinity],
    ['that is no longer retained', 10_000, 3],
  ])('gets the newest event of each key %s, once and in order', async (_, filler, events) => {
    const rig = new ClientRig({ retain: { events, bytes: Infinity, age: Infinity } });
    const source = new MemoryBroker(rig.delivery.channels);
    const byKey: Overflow = { latest: ({ data }) => String(data)[0]! };
    const client = await rig.connect([{ source, name: 'c' }], { overflow: byKey });
    const write = async (...texts: string[]): Promise<void> => {
      for (const text of texts) {
        void source.publish('c', { data: `${text} ${'x'.repeat(filler)}` });
      }
      await new Promise(setImmediate);
    };
    const received = () => client.data.map((data) => data.split(' ')[0]);
    client.stall();
    // The socket takes this one, and no more.
    await write('a0');
    await write('a1', 'b1', 'a2', 'b2', 'c1', 'd1', 'e1', 'f1', 'a3');
    client.readOn();
    expect(received()).toEqual(['a0']);
    if (filler > 1_000) {
      client.stall();
      await new Promise(setImmediate);
      // One block has left; what has not is replaced.
      await write('a4', 'f2');
      client.readOn();
    }
    const last = filler > 1_000 ? ['a4', 'f2'] : ['f1', 'a3'];
    await until(() => received().length >= 1 + 4 + 2);
    await new Promise(setImmediate);
    expect(received()).toEqual(['a0', 'b2', 'c1', 'd1', 'e1', ...last]);
    await write('b3', 'b4');
    expect(received().slice(-2)).toEqual(['b3', 'b4']);
    rig.close();
  });
});
