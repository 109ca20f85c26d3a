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
    [5, '`channel` is 5. Give its name or definition.'],
    ['', '`channel` is "".'],
    [undefined, '`channel` is undefined.'],
    [null, '`channel` is null.'],
    [{}, '`channel` is object.'],
    [['a'], '`channel` is object.'],
    [() => 'a', '`channel` is function.'],
  ])('is named: subscribe(%p)', (channel, message) => {
    client = new SseClient(ADDRESS);
    const error = thrown(() => client.subscribe(channel as never, () => undefined));
    expect(error.name).toBe('TypeError');
    expect(error.message).toContain(message);
  });

  it.each([
    [5, '`handlers` is 5. Give an object.'],
    ['earliest', '`handlers` is "earliest".'],
    [null, '`handlers` is null.'],
    [[() => 1], '`handlers` is object.'],
    [{ onEvent: 5 }, '`onEvent` is 5. Give a function.'],
    [{ onError: 'x'.repeat(100) }, `\`onError\` is "${'x'.repeat(60)}".`],
    [{ onMessage: () => 1 }, 'There is no `onMessage` in handlers, but from, onEvent,'],
    [{ from: 7 }, '`from` is 7. Give a position or "earliest", or leave it out.'],
    [{ from: null }, '`from` is null.'],
    [{ from: '' }, '`from` is "".'],
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
    [undefined, {}, '`address` is undefined. Give a URL.'],
    ['', {}, '`address` is "".'],
    [5, {}, '`address` is 5.'],
    [ADDRESS, null, '`options` is null.'],
    [ADDRESS, 'x', '`options` is "x".'],
    [ADDRESS, { header: {} }, 'There is no `header` in options, but headers, token,'],
    [ADDRESS, { headers: 'secret' }, '`headers` is string. Give an object or a function.'],
    [ADDRESS, { token: 1234 }, '`token` is number.'],
    [ADDRESS, { token: null }, '`token` is object.'],
    [ADDRESS, { credentials: true }, '`credentials` is true. Give "omit",'],
    [ADDRESS, { fetch: {} }, '`fetch` is object.'],
    [ADDRESS, { tabs: true }, '`tabs` is true. Give shareTabs().'],
    [ADDRESS, { silence: '45s' }, '`silence` is "45s". Give 0 to 2147483647 ms.'],
    [ADDRESS, { silence: -1 }, '`silence` is -1.'],
    [ADDRESS, { silence: NaN }, '`silence` is NaN.'],
    [ADDRESS, { silence: Infinity }, '`silence` is Infinity.'],
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
      '`listener` is 5. Give a function.',
    );
    const reading = client.subscribe('a');
    for (const observer of [undefined, null, 5, 'next']) {
      expect(thrown(() => reading.subscribe(observer as never)).message).toContain('`observer` is');
    }
  });
});
