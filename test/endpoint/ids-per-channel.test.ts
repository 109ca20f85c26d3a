import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { RawStream } from './raw-stream.js';

@Controller()
class StreamController {
  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    authorize: (_request, channel) => !channel.startsWith('secret'),
  })
  stream() {}
}

const NAMES = Array.from({ length: 160 }, (_, number) => `job:${number}`);

interface Ask {
  readonly lastEventId?: string | undefined;
  readonly from?: Readonly<Record<string, string>>;
}

async function open(url: string, channels: readonly string[], ask: Ask = {}): Promise<RawStream> {
  const stream = await RawStream.open(`${url}/stream`, {
    method: 'POST',
    body: JSON.stringify({ channels, ids: 'channel', ...ask }),
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  });
  if (stream.response.status === 200) {
    await stream.textOnce((text) => text.includes('sse:open') && text.includes('\n\n'));
  }
  return stream;
}

/** Reads a stream as a client does that keeps the position in each channel. */
class Positions {
  readonly byLabel = new Map<string, string>();

  note(id: string | undefined): void {
    for (const part of id?.split(',') ?? []) {
      const end = part.indexOf(':');
      this.byLabel.set(part.slice(0, end), part.slice(end + 1));
    }
  }

  get id(): string {
    return [...this.byLabel].map((place) => place.join(':')).join();
  }

  static after({ opening, events }: RawStream): Positions {
    const positions = new Positions();
    positions.note(opening!.id);
    events.forEach(({ id }) => positions.note(id));
    return positions;
  }
}

function labelsOf({ opening }: RawStream): Record<string, string> {
  return (JSON.parse(opening!.data) as { labels: Record<string, string> }).labels;
}

describe.each(ADAPTERS)('ids=channel on %s', (adapter) => {
  afterEach(closeApps);

  const start = (): Promise<TestApp> => startApp({ adapter, controllers: [StreamController] });

  it('gives each event the position in its own channel, at most 40 bytes', async () => {
    const { sse, url } = await start();
    const many = await open(url, NAMES);
    const one = await RawStream.open(`${url}/stream?channel=job:0&ids=channel`);
    await one.textOnce((text) => text.includes('sse:open'));
    const before = many.text.length;
    const labels = labelsOf(many);
    const data = 'x'.repeat(100);
    for (let round = 0; round < 3; round++) {
      for (const name of NAMES) {
        await sse.send(name, data);
      }
    }
    await many.event(3 * NAMES.length - 1);
    await one.event(2);
    const plain = `data: ${data}\n\n`.length;
    for (const { id } of many.events) {
      const [label, position, ...more] = id!.split(':');
      expect([labels[label!], position, more]).toEqual([
        expect.stringMatching(/^job:/),
        expect.stringMatching(/./),
        [],
      ]);
    }
    // The blocks are those of a client with one channel.
    const frame = (one.text.length - one.text.indexOf('data: x')) / 3;
    expect((many.text.length - before) / many.events.length).toBeLessThanOrEqual(plain + 40);
    expect(frame).toBeLessThanOrEqual(plain + 40);
    await many.close();
    await one.close();
  });

  it('resumes each channel after its own position', async () => {
    const { sse, url } = await start();
    const first = await open(url, NAMES);
    for (const name of NAMES) {
      await sse.send(name, `${name} 1`);
    }
    await first.event(NAMES.length - 1);
    await first.close();
    const positions = Positions.after(first);
    expect(positions.byLabel.size).toBe(NAMES.length);
    for (const name of NAMES) {
      await sse.send(name, `${name} 2`);
    }
    // A channel that is new to the client starts live.
    await sse.send('other', 'old');
    const second = await open(url, [...NAMES, 'other'], { lastEventId: positions.id });
    await sse.send('other', 'new');
    await second.event(NAMES.length);
    expect(second.events.map(({ data }) => data).sort()).toEqual(
      [...NAMES.map((name) => `${name} 2`), 'new'].sort(),
    );
    await second.close();
  });
});
