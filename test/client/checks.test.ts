import { afterEach, describe, expect, it } from '@jest/globals';
import { SseClient } from '../../lib/client/index.js';
import { defineChannel, unchecked } from '../../lib/index.js';

const Job = defineChannel('job:{id}', { progress: unchecked<number>() });
const ADDRESS = 'http://127.0.0.1:1/';

let client: SseClient;
afterEach(() => client?.close());

/** What the call throws. */
function thrown(call: () => unknown): { name: string; message: string; code?: string } {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
}

describe('what is given by mistake', () => {
  it.each([
    [5, 'The channel is 5. Give its name, or its definition.'],
    ['', 'The channel is "".'],
    [undefined, 'The channel is undefined.'],
    [null, 'The channel is null.'],
    [{}, 'The channel is object.'],
    [['a'], 'The channel is an array.'],
    [() => 'a', 'The channel is function.'],
  ])('is named: subscribe(%p)', (channel, message) => {
    client = new SseClient(ADDRESS);
    const error = thrown(() => client.subscribe(channel as never, () => undefined));
    expect(error.name).toBe('TypeError');
    expect(error.message).toContain(message);
  });

  it.each([
    [5, 'What has the handlers is 5. Give an object.'],
    ['earliest', 'What has the handlers is "earliest".'],
    [null, 'What has the handlers is null.'],
    [[() => 1], 'What has the handlers is an array.'],
    [{ onEvent: 5 }, 'The handler `onEvent` is 5. Give a function.'],
    [{ onError: 'x'.repeat(100) }, `The handler \`onError\` is "${'x'.repeat(60)}".`],
    [{ onMessage: () => 1 }, 'There is no handler `onMessage`. There are: from, onEvent,'],
    [{ from: 7 }, 'The handler `from` is 7. Give a position or "earliest", or leave it out.'],
    [{ from: null }, 'The handler `from` is null.'],
    [{ from: '' }, 'The handler `from` is "".'],
  ])('is named: subscribe("a", %j)', (handlers, message) => {
    client = new SseClient(ADDRESS);
    const error = thrown(() => client.subscribe('a', handlers as never));
    expect(error.name).toBe('TypeError');
    expect(error.message).toContain(message);
  });

  it('takes handlers that are undefined', () => {
    client = new SseClient(ADDRESS);
    client.subscribe('a', { from: undefined, onEvent: undefined } as never);
    client.subscribe('a', undefined);
  });

  it('is named where a definition lacks its values', () => {
    client = new SseClient(ADDRESS);
    for (const args of [[], [() => 1], [{ onEvent: () => 1 }], [{}]]) {
      const error = thrown(() => client.subscribe(Job, ...(args as [never])));
      expect(error).toMatchObject({ code: 'INVALID_CHANNEL' });
      expect(error.message).toContain('id');
    }
  });

  it.each<[unknown, unknown, string]>([
    [undefined, {}, 'The address of the client is undefined. Give a URL.'],
    ['', {}, 'The address of the client is "".'],
    [5, {}, 'The address of the client is 5.'],
    [ADDRESS, null, 'What has the options is null.'],
    [ADDRESS, 'x', 'What has the options is "x".'],
    [ADDRESS, { header: {} }, 'There is no option `header`. There are: headers, token,'],
    [
      ADDRESS,
      { headers: 'secret' },
      'The option `headers` is string. Give an object or a function.',
    ],
    [ADDRESS, { token: 1234 }, 'The option `token` is number.'],
    [ADDRESS, { token: null }, 'The option `token` is object.'],
    [ADDRESS, { credentials: true }, 'The option `credentials` is true. Give "omit",'],
    [ADDRESS, { fetch: {} }, 'The option `fetch` is object.'],
    [ADDRESS, { tabs: true }, 'The option `tabs` is true. Give what shareTabs() returns.'],
    [ADDRESS, { silence: '45s' }, 'The option `silence` is "45s". Give milliseconds,'],
    [ADDRESS, { silence: -1 }, 'The option `silence` is -1.'],
    [ADDRESS, { silence: NaN }, 'The option `silence` is NaN.'],
    [ADDRESS, { silence: Infinity }, 'The option `silence` is Infinity.'],
  ])('is named: new SseClient(%j, %j)', (url, options, message) => {
    const error = thrown(() => new SseClient(url as string, options as object));
    expect(error.name).toBe('TypeError');
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/secret|1234/);
  });

  it('takes a URL, and options that are undefined', () => {
    client = new SseClient(new URL(ADDRESS), { token: undefined, tabs: undefined } as never);
  });

  it('is named: onStatus() and an observer', () => {
    client = new SseClient(ADDRESS);
    expect(thrown(() => client.onStatus(5 as never)).message).toBe(
      'The listener is 5. Give a function.',
    );
    const reading = client.subscribe('a');
    for (const observer of [undefined, null, 5, 'next']) {
      expect(thrown(() => reading.subscribe(observer as never)).message).toContain(
        'The observer is',
      );
    }
  });
});
