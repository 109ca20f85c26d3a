import { Controller, RequestMethod, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DirectUpstream } from '../../lib/client/direct-upstream.js';
import { sharingName, shareTabs } from '../../lib/client/share-tabs.js';
import { SharedUpstream } from '../../lib/client/shared-upstream.js';
import type { UpstreamSink, Wanted } from '../../lib/client/upstream.js';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { until } from '../support/until.js';
import { ClientRig } from './client-rig.js';
import { provideLocks } from './lock-store.js';

const denied = new Set<string>();

@Controller()
class GuardedController {
  @Sse('guarded', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), { authorize: (_request, channel) => !denied.has(channel) })
  guarded() {}

  @Sse('states', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), {
    authorize: () => true,
    snapshot: () => ({ at: states.sent }),
  })
  states() {}
}

const states = { sent: 0 };

/** What a tab has heard of one channel since it has wanted it. */
interface Heard {
  readonly numbers: number[];
  readonly positions: (string | undefined)[];
  readonly said: string[];
}

/** A tab: all of them are in this process, and hear each other by Node's BroadcastChannel. */
class Tab {
  readonly heard = new Map<string, Heard>();
  readonly statuses: string[] = [];
  readonly fallbacks: string[] = [];
  private readonly upstream: SharedUpstream;
  private wanted = new Map<string, Wanted>();

  constructor(url: string, name: string) {
    const sink: UpstreamSink = {
      opened: (channel) => this.of(channel).said.push('opened'),
      event: (channel, { type, data, position }) => {
        const { numbers, positions, said } = this.of(channel);
        if (type === 'message') {
          numbers.push(Number(data));
          positions.push(position);
        } else said.push(`${type} ${data}`);
      },
      reset: (channel, reason) => this.of(channel).said.push(reason),
      over: (channel, how) => this.over(channel, how === 'onEnd' ? 'ended' : 'denied'),
      status: (status, error) => this.statuses.push(error ? `${status} ${error.message}` : status),
    };
    this.upstream = new SharedUpstream(sink, {
      name,
      connect: (to) => new DirectUpstream(url, {}, to),
      onFallback: (reason) => this.fallbacks.push(reason),
    });
    tabs.add(this);
  }

  get names(): string[] {
    return [...this.wanted.keys()];
  }

  of(channel: string): Heard {
    const heard = this.heard.get(channel);
    if (!heard) throw new Error(`"${channel}" was heard of and is not wanted.`);
    return heard;
  }

  private over(channel: string, how: string): void {
    this.wanted.delete(channel);
    this.of(channel).said.push(how);
  }

  want(channel: string, position?: string): void {
    this.wanted.set(channel, { name: channel, ...(position && { position }) });
    this.heard.set(channel, { numbers: [], positions: [], said: [] });
    this.upstream.want([...this.wanted.values()]);
  }

  /** What arrives until the end of the turn is still for who wanted it. */
  async leave(channel: string): Promise<void> {
    this.wanted.delete(channel);
    this.upstream.want([...this.wanted.values()]);
    await new Promise((resolve) => setImmediate(resolve));
    this.heard.delete(channel);
  }

  async opens(...channels: string[]): Promise<void> {
    await until(() => channels.every((name) => this.of(name).said.includes('opened')), {
      what: `${channels.join()} to open`,
    });
  }

  async says(channel: string, what: string): Promise<void> {
    await until(() => this.of(channel).said.includes(what), { what: `${channel} to say ${what}` });
  }

  close(): void {
    tabs.delete(this);
    this.upstream.close();
  }
}

const tabs = new Set<Tab>();
const rig = new ClientRig();
let takeLocks: () => void;

beforeAll(() => {
  takeLocks = provideLocks();
});
afterAll(() => takeLocks());
beforeEach(async () => {
  denied.clear();
  await rig.start({ controllers: [GuardedController] });
});
afterEach(async () => {
  for (const tab of tabs) tab.close();
  await rig.streams(0);
  await rig.close();
});

const urlOf = (path: string) => rig.proxy.url(rig.app.url + path);
const newTab = (name = 'tests', path = '/guarded') => new Tab(urlOf(path), name);
const one = () => rig.streams(1);

async function send(channel: string, ...numbers: number[]): Promise<void> {
  for (const n of numbers) await rig.app.sse.send(channel, String(n));
}

async function has(tab: Tab, channel: string, ...numbers: number[]): Promise<void> {
  await until(() => tab.of(channel).numbers.length >= numbers.length, { what: numbers.join() });
  expect(tab.of(channel).numbers).toEqual(numbers);
}

describe('tabs that share a connection', () => {
  it('bring each tab what it wants, from where it wants it', async () => {
    await send('a', 1, 2);
    const first = newTab();
    first.want('a');
    first.want('b', 'earliest');
    await first.opens('a', 'b');
    const second = newTab();
    second.want('a', 'earliest');
    second.want('b');
    await has(second, 'a', 1, 2);
    await second.opens('b');
    await one();
    await send('a', 3);
    await send('b', 1);
    await has(first, 'a', 3);
    await has(first, 'b', 1);
    await has(second, 'a', 1, 2, 3);
    await has(second, 'b', 1);
    expect(second.statuses.at(-1)).toBe('open');
  });

  it('begin at an older position than the leader, and go on with the leader', async () => {
    const leader = newTab();
    leader.want('a');
    await leader.opens('a');
    await send('a', 1, 2, 3);
    await has(leader, 'a', 1, 2, 3);
    const late = newTab();
    late.want('a', leader.of('a').positions[0]);
    await has(late, 'a', 2, 3);
    await one();
    await send('a', 4);
    await has(late, 'a', 2, 3, 4);
  });

  it('tell each tab what is refused, and ask anew for a tab that comes later', async () => {
    denied.add('a');
    const first = newTab();
    first.want('a');
    await first.says('a', 'denied');
    await until(() => first.statuses.at(-1)?.startsWith('closed'));
    const second = newTab();
    second.want('a');
    second.want('b');
    await second.says('a', 'denied');
    await second.opens('b');
    denied.clear();
    const third = newTab();
    third.want('a');
    await third.opens('a');
    expect(first.of('a').said).toEqual(['denied']);
  });

  it('tell each tab the end of a run, with what comes before it', async () => {
    const [first, second] = [newTab(), newTab()];
    for (const tab of [first, second]) tab.want('a');
    await Promise.all([first.opens('a'), second.opens('a')]);
    await send('a', 1);
    await rig.app.sse.complete('a');
    const late = newTab();
    late.want('a', 'earliest');
    for (const tab of [first, second, late]) {
      await tab.says('a', 'ended');
      await has(tab, 'a', 1);
    }
    await rig.streams(0);
  });

  it('tell each tab a reset', async () => {
    const [first, second] = [newTab(), newTab()];
    for (const tab of [first, second]) tab.want('a', 'no-such-position');
    for (const tab of [first, second]) await tab.says('a', 'unknown-position');
    await send('a', 1);
    for (const tab of [first, second]) await has(tab, 'a', 1);
  });

  it('give a tab that comes later the state that a channel begins with', async () => {
    const tab = () => newTab('states', '/states');
    const first = tab();
    first.want('a');
    await first.says('a', 'sse:snapshot {"channel":"a","state":{"at":0}}');
    states.sent = 1;
    const second = tab();
    second.want('a');
    await second.says('a', 'sse:snapshot {"channel":"a","state":{"at":1}}');
    await send('a', 1);
    await has(first, 'a', 1);
    await has(second, 'a', 1);
    expect(first.of('a').said.filter((said) => said.startsWith('sse:'))).toHaveLength(1);
  });

  it('hand over when the tab that leads is closed, as often as you like', async () => {
    const first = newTab();
    first.want('a');
    await first.opens('a');
    const last = newTab();
    last.want('a');
    await last.opens('a');
    let leader = first;
    for (let n = 1; n <= 5; n++) {
      const next = newTab();
      next.want('a');
      await next.opens('a');
      leader.close();
      await send('a', n);
      await until(() => last.of('a').numbers.length === n);
      leader = next;
    }
    expect(last.of('a').numbers).toEqual([1, 2, 3, 4, 5]);
    await one();
  });

  it('have one connection for each name', async () => {
    const all = [newTab('one'), newTab('other'), newTab('other')];
    for (const tab of all) tab.want('a');
    for (const tab of all) await tab.opens('a');
    await rig.streams(2);
  });

  it('have no connection while nothing is wanted', async () => {
    const tab = newTab();
    tab.want('a');
    await tab.opens('a');
    await tab.leave('a');
    await rig.streams(0);
    expect(tab.statuses.at(-1)).toBe('closed');
    tab.want('a');
    await tab.opens('a');
  });

  it('catch up with what was lost between tabs', async () => {
    const first = newTab();
    first.want('a');
    await first.opens('a');
    const second = newTab();
    second.want('a');
    await second.opens('a');
    const lossy = loseEvery(3);
    try {
      for (let n = 1; n <= 60; n++) {
        await send('a', n);
        await until(() => first.of('a').numbers.length === n);
      }
    } finally {
      expect(lossy()).toBeGreaterThan(5);
    }
    await send('a', 61);
    const all = Array.from({ length: 61 }, (_, at) => at + 1);
    await has(first, 'a', ...all);
    await has(second, 'a', ...all);
    await one();
  });

  it('lose and repeat nothing while tabs come, go, and change what they want', async () => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1e6);
    const random = randomOf(seed);
    const channels = ['a', 'b', 'c', 'd'];
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    let sent = 0;
    let isOver = false;
    const publishing = (async () => {
      while (!isOver) {
        sent++;
        for (const channel of channels) await send(channel, sent);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    const faults: string[] = [];
    const check = (tab: Tab, channel: string): void => {
      const { numbers, said } = tab.of(channel);
      const isWhole = numbers.every((n, at) => at === 0 || n === numbers[at - 1]! + 1);
      if (!isWhole || said.some((each) => each !== 'opened')) {
        faults.push(`${channel}: ${numbers.join()} ${said.join()}`);
      }
    };
    const open = (): void => {
      const tab = newTab();
      for (const name of channels) {
        if (random() < 0.6) tab.want(name, random() < 0.3 ? 'earliest' : undefined);
      }
    };
    open();
    for (let step = 0; step < 80; step++) {
      const tab = pick([...tabs]);
      const what = random();
      if (what < 0.05) {
        rig.proxy.cut();
      } else if (what < 0.2 && tabs.size < 5) {
        open();
      } else if (what < 0.4 && tabs.size > 1) {
        for (const name of tab.names) check(tab, name);
        tab.close();
      } else {
        const name = pick(channels);
        if (tab.names.includes(name)) {
          check(tab, name);
          await tab.leave(name);
        } else tab.want(name);
      }
      const before = sent;
      await until(() => sent > before + 3);
    }
    for (const tab of tabs) await tab.opens(...tab.names);
    const opened = sent;
    await until(() => sent > opened + 3);
    isOver = true;
    await publishing;
    for (const tab of tabs) {
      for (const name of tab.names) {
        await until(() => tab.of(name).numbers.at(-1) === sent, {
          what: `number ${sent} of ${name}, with SEED=${seed}; at ${tab.of(name).numbers.at(-1)}`,
        });
        check(tab, name);
      }
    }
    expect({ seed, faults }).toEqual({ seed, faults: [] });
    if ([...tabs].some(({ names }) => names.length > 0)) await one();
  });

  it('are those of clients with the option', async () => {
    const received: string[] = [];
    const options = { tabs: shareTabs({ key: 'ada' }) };
    const clients = ['first', 'second'].map((name) => [name, rig.client(options)] as const);
    for (const [name, client] of clients) {
      await new Promise((resolve) => {
        client.subscribe('a', {
          onOpen: () => resolve(undefined),
          onEvent: ({ data }) => received.push(`${name} ${data}`),
        });
      });
    }
    await one();
    await send('a', 1);
    await until(() => received.length === 2);
    expect(received.sort()).toEqual(['first 1', 'second 1']);
    for (const [, client] of clients) client.close();
  });

  it('are those of one address, user, kind of credentials and version', () => {
    const names = [
      ['/events', '', ''],
      ['/events', 'ada', ''],
      ['/events', '', 'include'],
      ['/events/ada', '', ''],
      ['/events', 'a/b', ''],
      ['/events', 'a', 'b'],
    ].map(([url, key, credentials]) => sharingName(url!, key!, credentials!));
    expect(new Set(names).size).toBe(names.length);
    expect(names[0]).toMatch(/^sse-channels\/1\//);
  });
});

/** Drops every so-maniest message of events between tabs. What it returns ends that, and tells how many. */
function loseEvery(nth: number): () => number {
  const { prototype } = BroadcastChannel;
  const { postMessage } = prototype;
  let told = 0;
  let lost = 0;
  prototype.postMessage = function (message: unknown): void {
    const isLost =
      (message as { calls?: unknown[] }).calls?.some((call) => (call as string[])[0] === 'event') &&
      ++told % nth === 0;
    if (isLost) lost++;
    else postMessage.call(this, message);
  };
  return () => {
    prototype.postMessage = postMessage;
    return lost;
  };
}

/** Numbers from 0 to 1: https://en.wikipedia.org/wiki/Linear_congruential_generator */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}
