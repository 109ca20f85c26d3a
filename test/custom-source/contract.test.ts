import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Channel } from '../../lib/channel/channel.js';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import type { ChannelSink, ChannelSource, SourceEvent } from '../../lib/index.js';
import { testBroker, testSource, type ContractTest } from '../../lib/testing/index.js';
import { LogFileSource } from './log-file-source.js';

describe('The broker in memory keeps the contract: it', () => {
  /** The channels that the contract's readers have opened take what is published. */
  const broker = () => {
    const open = new Map<string, ChannelSink>();
    class RecordedBroker extends MemoryBroker {
      override open(channel: string, sink: ChannelSink): ReturnType<ChannelSource['open']> {
        open.set(channel, sink);
        const feed = super.open(channel, sink);
        return { close: () => (open.delete(channel), feed.close()) };
      }
    }
    const unread = { append: () => 'unread' } as unknown as Channel;
    return new RecordedBroker({ touch: (_, name) => (open.get(name) as Channel) ?? unread });
  };
  for (const { name, run } of testBroker({ broker, isShared: false })) {
    it(name, run);
  }
});

describe('The source of docs/custom-sources.md keeps the contract: it', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'contract-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  let names = 0;
  const subject = {
    source: () => new LogFileSource(folder, 10),
    write: (channel: string, data: string) =>
      appendFile(join(folder, `${channel}.log`), `${data}\n`),
    replace: (channel: string) => truncate(join(folder, `${channel}.log`)),
    channel: () => `log-${++names}`,
  };
  for (const { name, run } of testSource(subject)) {
    it(name, async () => {
      // A log exists before it is followed.
      for (let next = 1; next <= 2; next++) {
        await writeFile(join(folder, `log-${names + next}.log`), '');
      }
      await run();
    });
  }
});

/** A source that keeps its events in memory, and its contract but for what is broken in it. */
class BrokenSource implements ChannelSource {
  static events = new Map<string, string[]>();
  protected sink: ChannelSink | undefined;

  open(channel: string, sink: ChannelSink): ReturnType<ChannelSource['open']> {
    this.sink = sink;
    sink.live(String(this.of(channel).length));
    sinks.set(channel, (event) => this.pass(sink, event));
    return {
      close: () => void sinks.delete(channel),
      history: {
        compare: (a, b) => this.compare(a, b),
        read: (position, limit) => {
          const from = position === undefined ? 0 : Number(position);
          const all = this.of(channel);
          if (!(from >= 0 && from <= all.length)) {
            return Promise.resolve({ events: [], last: true, reset: 'unknown-position' as const });
          }
          const events = all
            .map((data, index) => ({ data, position: String(index + 1) }))
            .slice(from, from + limit);
          return Promise.resolve({ events, last: from + limit >= all.length });
        },
      },
    };
  }

  protected compare(a: string, b: string): number {
    const [x, y] = [a, b].map((id) => (/^\d{1,15}$/.test(id) ? Number(id) : -1));
    return x! - y!;
  }

  protected pass(sink: ChannelSink, event: SourceEvent): void {
    sink.append(event);
  }

  private of(channel: string): string[] {
    const known = BrokenSource.events.get(channel) ?? [];
    BrokenSource.events.set(channel, known);
    return known;
  }
}

const sinks = new Map<string, (event: SourceEvent) => void>();

async function write(channel: string, data: string): Promise<void> {
  const events = BrokenSource.events.get(channel) ?? [];
  BrokenSource.events.set(channel, events);
  events.push(data);
  sinks.get(channel)?.({ data, position: String(events.length) });
}

/** The names of the cases that a source fails. */
async function failures(source: () => ChannelSource): Promise<string[]> {
  const failed: string[] = [];
  const attempt = async ({ name, run }: ContractTest): Promise<void> => {
    await run().catch(() => void failed.push(name));
  };
  for (const test of testSource({ source, write, timeout: 300 })) {
    await attempt(test);
  }
  return failed;
}

/** Runs one case with a source. */
function caseOf(source: () => ChannelSource, name: string): Promise<void> {
  return testSource({ source, write, timeout: 300 })
    .find((test) => test.name === name)!
    .run();
}

describe('The contract of sources', () => {
  it('passes for a source without a fault', async () => {
    expect(await failures(() => new BrokenSource())).toEqual([]);
  });

  it('fails for a source that loses an event', async () => {
    class Losing extends BrokenSource {
      protected override pass(sink: ChannelSink, event: SourceEvent): void {
        if (event.data !== 'event 7') sink.append(event);
      }
    }
    expect(await failures(() => new Losing())).toContain(
      'delivers written events once and in order',
    );
  });

  it('fails for a source that repeats an event', async () => {
    class Repeating extends BrokenSource {
      protected override pass(sink: ChannelSink, event: SourceEvent): void {
        sink.append(event);
        if (event.data === 'event 3') sink.append(event);
      }
    }
    expect(await failures(() => new Repeating())).toContain(
      'delivers written events once and in order',
    );
  });

  it('fails for a source with a wrong order', async () => {
    class Unordered extends BrokenSource {
      protected override compare(): number {
        return NaN;
      }
    }
    expect(await failures(() => new Unordered())).toEqual(
      expect.arrayContaining([
        'answers a nonsensical position with a reset, and never throws',
        'orders positions as it appends them',
      ]),
    );
  });

  it('fails for a source that changes data, and says how', async () => {
    class Trimming extends BrokenSource {
      protected override pass(sink: ChannelSink, event: SourceEvent): void {
        sink.append({ ...event, data: event.data.trim() });
      }
    }
    await expect(caseOf(() => new Trimming(), 'brings data as they were written')).rejects.toThrow(
      '"  blanks " was written, and "blanks" appended.',
    );
  });

  it('fails for a source that is live twice', async () => {
    class Twice extends BrokenSource {
      override open(channel: string, sink: ChannelSink): ReturnType<ChannelSource['open']> {
        const feed = super.open(channel, sink);
        sink.live('elsewhere');
        return feed;
      }
    }
    const opens = caseOf(() => new Twice(), 'opens at once, and calls live() when it is listening');
    await expect(opens).rejects.toThrow(
      'live() was called 2 times, with the positions "0", "elsewhere"',
    );
  });

  it('fails for a source that is live at another position than the end', async () => {
    class Early extends BrokenSource {
      constructor(private readonly named?: string) {
        super();
      }

      override open(channel: string, sink: ChannelSink): ReturnType<ChannelSource['open']> {
        return super.open(channel, {
          live: () => sink.live(this.named),
          append: (event) => sink.append(event),
          reset: (...told) => sink.reset(...told),
        });
      }
    }
    const name = 'is live after what was written before';
    await expect(caseOf(() => new Early('0'), name)).rejects.toThrow(
      'live() names the position "0", after which the history has 3 events, and 0 were appended',
    );
    await expect(caseOf(() => new Early('9'), name)).rejects.toThrow('the reset unknown-position');
    await expect(caseOf(() => new Early(), name)).rejects.toThrow('live() names no position');
  });

  it('tells why append() refused the events that did not come', async () => {
    class Swallowing extends BrokenSource {
      protected override pass(sink: ChannelSink, event: SourceEvent): void {
        try {
          sink.append({ ...event, data: { not: 'text' } as never });
        } catch {
          // As a source does that logs it.
        }
      }
    }
    const delivers = caseOf(() => new Swallowing(), 'delivers written events once and in order');
    await expect(delivers).rejects.toThrow(
      /0 of 50 events came, resets: none; append\(\) threw 50 times, at first: .*data.*Give a string\.$/,
    );
  });

  it('fails for a source that does not see that its history is another one', async () => {
    class Blind extends BrokenSource {
      replaced(): void {
        this.sink!.reset('failover', '0');
      }
    }
    let current: Blind;
    const replaceable = {
      source: () => (current = new Blind()),
      write,
      replace: (channel: string) => {
        BrokenSource.events.set(channel, []);
        current.replaced();
        return Promise.resolve();
      },
      timeout: 300,
    };
    const name = 'sends a reset when its history was replaced, and goes on';
    await expect(
      testSource(replaceable)
        .find((test) => test.name === name)!
        .run(),
    ).rejects.toThrow('6 of 11 events are lost without a reset.');
  });

  it('fails for a source that is never live, and passes for one that opens late', async () => {
    const silent = { open: () => ({ close: () => undefined }) };
    expect(await failures(() => silent)).toContain(
      'opens at once, and calls live() when it is listening',
    );
    const late = { open: () => Promise.resolve({ close: () => undefined }) } as never;
    expect(await failures(() => late)).toContain(
      'opens at once, and calls live() when it is listening',
    );
  });
});

it('The contract of sources names a missing function at once', () => {
  const source = () => ({ open: () => ({ close: () => undefined }) });
  expect(() => testSource({ source } as never)).toThrow('`source` and `write`');
});
