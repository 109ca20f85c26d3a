import { afterEach, describe, expect, it } from '@jest/globals';
import type { ClientFetch, SseClient } from '../../lib/client/index.js';
import { ADAPTERS } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ClientRig, Told } from './client-rig.js';

const CHANNELS = 160;
const EVENTS = 5;
/** The most bytes that a frame has for its channel being one of many. */
const MORE_BYTES = 40;

const rig = new ClientRig();
afterEach(() => rig.close());

/** Makes requests as `fetch()` does, and keeps what comes. */
function recording(): { readonly fetch: ClientFetch; text(): string } {
  let text = '';
  return {
    text: () => text,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      const [own, given] = response.body!.tee();
      const keep = new TextDecoder();
      own
        .pipeTo(
          new WritableStream({
            write: (part) => void (text += keep.decode(part, { stream: true })),
          }),
        )
        .catch(() => undefined);
      return { status: response.status, headers: response.headers, body: given };
    },
  };
}

/** The bytes of each frame that has the data of an event. */
function bytesOf(text: string): number[] {
  const frames = text.split('\n\n').slice(0, -1);
  return frames
    .filter((frame) => /^data: \d+ x+$/m.test(frame))
    .map((frame) => Buffer.byteLength(frame) + 2);
}

const dataOf = (number: number): string => `${String(number).padStart(4, '0')} ${'x'.repeat(100)}`;

async function subscribe(client: SseClient, channels: readonly string[]): Promise<Told[]> {
  const all = channels.map((channel) => {
    const told = new Told();
    client.subscribe(channel, told.handlers);
    return told;
  });
  for (const told of all) await told.has('open');
  return all;
}

describe.each(ADAPTERS)('A client of many channels on %s', (adapter) => {
  it(`has one connection for ${CHANNELS}, and at most ${MORE_BYTES} bytes more in a frame than one of one channel`, async () => {
    await rig.start({ adapter });
    const names = Array.from({ length: CHANNELS }, (_, n) => `job:${n}`);
    const [one, many, plain] = [recording(), recording(), recording()];
    const ones = await subscribe(rig.client({ fetch: one.fetch }), ['job:0']);
    const manies = await subscribe(rig.client({ fetch: many.fetch }), names);
    const plains = await subscribe(rig.client({ fetch: plain.fetch }, '/plain'), ['plain']);
    expect(rig.app.sse.stats().connections).toBe(3);

    for (let n = 0; n < EVENTS; n++) {
      for (const name of [...names, 'plain']) await rig.app.sse.send(name, dataOf(n));
    }
    const sent = ['open', ...Array.from({ length: EVENTS }, (_, n) => dataOf(n))];
    const all = [...ones, ...manies, ...plains];
    await until(() => all.every((told) => told.all.length >= sent.length));
    for (const told of all) expect(told.all).toEqual(sent);

    const longest = (text: string) => Math.max(...bytesOf(text));
    const shortest = (text: string) => Math.min(...bytesOf(text));
    expect([one, many, plain].map(({ text }) => bytesOf(text()).length)).toEqual([
      EVENTS,
      EVENTS * CHANNELS,
      EVENTS,
    ]);
    // An endpoint of one channel has ids without a label.
    const label = longest(many.text()) - shortest(plain.text());
    expect(label).toBe(9);
    expect(longest(many.text()) - shortest(one.text())).toBeLessThanOrEqual(MORE_BYTES);
    expect(rig.app.sse.stats().connections).toBe(3);
  });
});
