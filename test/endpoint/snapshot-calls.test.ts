import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type {
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  HistoryEvent,
  HistoryPage,
} from '../../lib/channel/source.js';
import type { Overflow } from '../../lib/delivery/overflow.js';
import type { SseSnapshot } from '../../lib/delivery/snapshot-cursor.js';
import { RequestSnapshots, SnapshotCalls } from '../../lib/endpoint/snapshots.js';
import type { SnapshotOption } from '../../lib/setup/snapshot-option.js';
import { ClientRig, type ReceivedEvent, type RigClient } from '../delivery/client-rig.js';
import { until } from '../support/until.js';

/** A source with numbered events, and all of them in its history. */
class Numbers implements ChannelHistory {
  readonly written: HistoryEvent[] = [];
  private sink: ChannelSink | undefined;

  constructor(private readonly hasHistory = true) {}

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    this.sink = sink;
    sink.live(this.hasHistory ? `${this.written.length}` : undefined);
    return { ...(this.hasHistory && { history: this }), close: () => undefined };
  }

  write(more: Partial<HistoryEvent> = {}): void {
    const position = `${this.written.length + 1}`;
    const event = { position, data: position, ...more };
    this.written.push(event);
    if (more.reset) {
      this.sink?.reset(more.reset, this.hasHistory ? position : undefined);
    } else {
      const { data, end } = event;
      this.sink?.append({ data, end, position: this.hasHistory ? position : undefined });
    }
  }

  reset(): void {
    this.sink!.reset('listener-gap', `${this.written.length}`);
  }

  compare(a: string, b: string): number {
    return Number(a) - Number(b);
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    const after = Number(position ?? 0);
    const events = this.written.slice(after, after + limit);
    const ended = this.written[after - 1]?.end === true;
    return { events, last: after + events.length === this.written.length, ended };
  }
}

const shown = ({ type, data }: ReceivedEvent) => (type === 'message' ? data : type);
const allOf = ({ events }: RigClient) => events.map(shown);
const statesOf = ({ events }: RigClient) =>
  events.flatMap(({ type, data }) =>
    type === 'sse:snapshot' ? [(JSON.parse(data) as SseSnapshot).state] : [],
  );

describe('The calls of a snapshot', () => {
  let rig: ClientRig;
  afterEach(() => rig.close());

  const snapshotsBy = (option: SnapshotOption, timeout?: number) => {
    const calls = new SnapshotCalls(option, 'here', rig.delivery, timeout);
    return () => new RequestSnapshots(calls, {} as never, 100);
  };
  const rest = async () => {
    for (let turn = 0; turn < 10; turn++) {
      await setImmediate();
    }
  };

  it('are forgotten, and their clients, when these leave before their turn', async () => {
    rig = new ClientRig();
    const called: string[] = [];
    const calls = new SnapshotCalls(
      (channel) => {
        called.push(channel);
        return new Promise(() => undefined);
      },
      'here',
      rig.delivery,
    );
    const ends: AbortController[] = [];
    const take = (channel: string) => {
      const end = new AbortController();
      ends.push(end);
      const { signal } = end;
      const call = { request: {} as never, controller: {}, begin: () => undefined, signal };
      return calls.take(channel, call);
    };
    Array.from({ length: 20 }, () => take('first')).forEach((each) => void each.catch(() => ''));
    const late = take('late');
    ends.at(-1)!.abort(new Error('it left'));
    await expect(late).rejects.toThrow('it left');
    expect(called).toHaveLength(20);
    expect(called).not.toContain('late');
    ends.forEach((end) => end.abort());
  });

  it('end the stream when one gives no answer in time, and abort it', async () => {
    rig = new ClientRig();
    let aborted = false;
    const snapshots = snapshotsBy((_channel, _request, signal) => {
      signal.addEventListener('abort', () => (aborted = true));
      return new Promise(() => undefined);
    }, 100);
    const client = await rig.connect([{ source: new Numbers(), name: 'c' }], {
      snapshots: snapshots(),
    });
    await until(() => client.isClosed);
    expect(aborted).toBe(true);
    expect(rig.logged).toEqual([
      '`snapshot` of here, for "c", failed: It gave no answer within 100 ms.',
    ]);
    const { retry } = client.frames.at(-1)!;
    expect(retry).toBeGreaterThanOrEqual(100);
    expect(retry).toBeLessThanOrEqual(200);
  });

  /** Twenty clients leave, each while its call is under way: no more are made at a time. */
  const twentyLeave = async (timeout: number) => {
    rig = new ClientRig();
    const settle: (() => void)[] = [];
    let calls = 0;
    const snapshots = snapshotsBy(() => {
      calls++;
      return calls > 20 ? 'state' : new Promise((resolve) => settle.push(() => resolve('late')));
    }, timeout);
    const requests = [{ source: new Numbers(), name: 'c' }];
    const connect = () => rig.connect(requests, { snapshots: snapshots() });
    for (let nth = 1; nth <= 20; nth++) {
      const client = await connect();
      await until(() => calls === nth);
      client.cut();
    }
    return { connect, settle, count: () => calls };
  };

  it('keep their places when clients leave, until they settle', async () => {
    const { connect, settle, count } = await twentyLeave(600_000);
    const client = await connect();
    await rest();
    expect(count()).toBe(20);
    settle[7]!();
    await until(() => statesOf(client).length === 1);
    expect(count()).toBe(21);
    expect(statesOf(client)).toEqual(['state']);
    expect(rig.logged).toEqual([]);
  });

  it('keep their places when clients leave, no longer than a call may take', async () => {
    const { connect, count } = await twentyLeave(50);
    const client = await connect();
    await until(() => statesOf(client).length === 1);
    expect(count()).toBe(21);
  });

  it('are not made while events are held back, and give nothing then', async () => {
    rig = new ClientRig();
    let calls = 0;
    const snapshots = snapshotsBy(() => ++calls);
    const source = new Numbers();
    const { hold } = rig.delivery.connections;
    hold.begin();
    const client = await rig.connect([{ source, name: 'c' }], { snapshots: snapshots() });
    source.write();
    await rest();
    expect(calls).toBe(0);
    hold.end();
    await until(() => client.data.length === 1);
    hold.begin();
    source.reset();
    source.write();
    await rest();
    expect(calls).toBe(1);
    hold.end();
    await until(() => statesOf(client).length === 2);
    expect(allOf(client)).toEqual(['sse:snapshot', 'sse:reset', 'sse:snapshot']);
    source.write();
    await until(() => client.data.at(-1) === '3');
  });

  it('are one for all resets in the history that a client has missed', async () => {
    rig = new ClientRig();
    let calls = 0;
    const source = new Numbers();
    const snapshots = snapshotsBy(() => {
      calls++;
      return source.written.length;
    });
    for (let nth = 0; nth < 600; nth++) {
      source.write(nth % 3 === 1 ? { reset: 'skipped-event' } : {});
    }
    const client = await rig.connect([{ source, name: 'c' }], {
      lastEventId: '1',
      snapshots: snapshots(),
    });
    await until(() => statesOf(client).length > 0);
    source.write();
    await until(() => client.data.at(-1) === '601');
    expect(allOf(client)).toEqual(['sse:reset', 'sse:snapshot', '601']);
    expect(statesOf(client)).toEqual([600]);
    expect(calls).toBe(1);
  });

  it('leave the end of a run in the history to the client', async () => {
    rig = new ClientRig();
    const source = new Numbers();
    source.write();
    source.write({ reset: 'skipped-event' });
    source.write();
    source.write({ end: true, data: '[DONE]' });
    const requests = [{ source, name: 'c' }];
    const snapshots = snapshotsBy(() => 'state');
    const client = await rig.connect(requests, { lastEventId: '1', snapshots: snapshots() });
    await until(() => client.isClosed);
    expect(allOf(client)).toEqual(['sse:reset', 'sse:snapshot', '[DONE]']);
    const again = await rig.connect(requests, { lastEventId: client.lastEventId });
    expect(again.wasTurnedAway).toBe(true);
  });

  it('that wait for their turn leave the end of a run to the client', async () => {
    rig = new ClientRig();
    const answers: ((state: unknown) => void)[] = [];
    const snapshots = snapshotsBy(() => new Promise((resolve) => answers.push(resolve)));
    const busy = [{ source: new Numbers(), name: 'busy' }];
    const working = await Promise.all(
      Array.from({ length: 20 }, () => rig.connect(busy, { snapshots: snapshots() })),
    );
    const source = new Numbers();
    const requests = [{ source, name: 'c' }];
    const client = await rig.connect(requests, { snapshots: snapshots() });
    source.write();
    source.write({ end: true, data: '[DONE]' });
    source.write();
    await rest();
    expect(answers).toHaveLength(20);
    answers.forEach((answer) => answer('busy'));
    await until(() => working.every((each) => statesOf(each).length === 1));
    await until(() => answers.length === 21);
    answers[20]!('state');
    await until(() => client.isClosed);
    expect(allOf(client)).toEqual(['sse:snapshot', '[DONE]']);
  });

  it.each([[true], [false]])(
    'precede the newest events of a client that lags with { latest }; with a history: %s',
    async (hasHistory) => {
      rig = new ClientRig({ retain: { events: 3, bytes: 300, age: Infinity } });
      const source = new Numbers(hasHistory);
      const snapshots = snapshotsBy(() => source.written.length);
      const overflow: Overflow = { latest: () => 'one key' };
      const client = await rig.connect([{ source, name: 'c' }], {
        overflow,
        snapshots: snapshots(),
      });
      await until(() => statesOf(client).length === 1);
      client.stall();
      source.write();
      await rest();
      // It lags with a reset ahead, and without.
      for (let nth = 0; nth < 50; nth++) {
        source.write(nth === 10 ? { reset: 'skipped-event' } : {});
        await setImmediate();
      }
      client.readOn();
      await until(() => statesOf(client).length === 2);
      const types = client.events.map(({ type }) => type).filter((type) => type !== 'message');
      expect(types).toEqual(['sse:snapshot', 'sse:reset', 'sse:snapshot']);
      expect(statesOf(client)).toEqual([0, 51]);
      const count = client.events.length;
      client.stall();
      source.write();
      await rest();
      for (let nth = 0; nth < 50; nth++) {
        source.write();
        await setImmediate();
      }
      client.readOn();
      await until(() => client.data.at(-1) === '102');
      expect(allOf(client).slice(count)).toEqual(['52', '102']);
    },
  );

  it.each([
    ['the position of an event', '1'],
    ['earliest', 'earliest'],
  ])('are none for a client that comes with %s', async (_, lastEventId) => {
    rig = new ClientRig();
    const source = new Numbers();
    source.write();
    source.write();
    const client = await rig.connect([{ source, name: 'c' }], {
      lastEventId,
      snapshots: snapshotsBy(() => 'state')(),
    });
    await until(() => client.data.at(-1) === '2');
    source.write();
    await until(() => client.data.at(-1) === '3');
    expect(allOf(client)).not.toContain('sse:snapshot');
  });
});
