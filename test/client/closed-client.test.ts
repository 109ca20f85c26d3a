import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { from as observableOf } from 'rxjs';
import { SseClient } from '../../lib/client/index.js';
import { Told } from './client-rig.js';
import { frame, OPEN, StreamServer } from './stream-server.js';

const server = new StreamServer();
let client: SseClient;

beforeEach(async () => {
  await server.start();
  server.stream(OPEN);
  client = new SseClient(server.url);
});
afterEach(async () => {
  client.close();
  await server.close();
});

describe('a subscription without readers', () => {
  it('is over when its client is closed, for loops and observers', async () => {
    const resting = client.subscribe('a');
    client.close();
    const ended = await resting[Symbol.asyncIterator]().next();
    expect(ended).toEqual({ done: true, value: undefined });
    await new Promise<void>((complete) => {
      observableOf(resting).subscribe({ complete });
    });
    expect(server.requests).toBe(0);
  });

  it('is none the worse for a reader that it has refused', async () => {
    const told = new Told();
    const first = client.subscribe('a', told.handlers);
    await told.has('open');
    const resting = client.subscribe('a', { from: '1' });
    expect(() => resting[Symbol.asyncIterator]()).toThrow('"a" is subscribed already');
    const refused: unknown[] = [];
    expect(() => resting.subscribe((event) => refused.push(event))).toThrow(
      '"a" is subscribed already',
    );
    first.close();
    server.stream(OPEN + frame('', 'hello', '2'));
    const { value } = await resting[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ data: 'hello' });
    expect(refused).toEqual([]);
  });
});
