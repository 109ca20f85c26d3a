import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import type {
  ChannelFeed,
  ChannelHistory,
  ChannelSink,
  HistoryEvent,
  HistoryPage,
} from '../../lib/channel/source.js';
import type { SseSnapshot } from '../../lib/delivery/snapshot-cursor.js';
import { RequestSnapshots, SnapshotCalls } from '../../lib/endpoint/snapshots.js';
import { holds } from '../support/property.js';
import { until } from '../support/until.js';
import { ClientRig, type RigClient } from './client-rig.js';

type State = Record<string, number>;

interface Change {
  readonly key: string;
  readonly value: number;
}

const KEYS = 20;

/** A state whose changes are events. It may lose events, but it tells so. */
class Counters implements ChannelHistory {
  readonly state: State = {};
  private readonly events: HistoryEvent[] = [];
  private generation = 1;
  private changes = 0;
  private sink: ChannelSink | undefined;

  constructor(
    readonly name: string,
    private readonly hasHistory: boolean,
  ) {
    this.change(0);
  }

  open(_channel: string, sink: ChannelSink): ChannelFeed {
    this.sink = sink;
    sink.live(this.position);
    return { ...(this.hasHistory && { history: this }), close: () => (this.sink = undefined) };
  }

  change(by: number): void {
    const data = JSON.stringify({ channel: this.name, ...this.apply(by) });
    this.events.push({ position: this.position!, data });
    this.sink?.append({ data, position: this.position });
  }

  /** Changes the state, and cannot send the event. */
  skip(by: number): void {
    this.apply(by);
    this.events.push({ position: this.position!, data: '', reset: 'skipped-event' });
    this.sink?.reset('skipped-event', this.position);
  }

  /** Changes the state while nobody listens, or in a system that then loses its history. */
  lose(by: number, reason: 'listener-gap' | 'failover'): void {
    const data = JSON.stringify({ channel: this.name, ...this.apply(by) });
    if (reason === 'failover') {
      this.generation++;
      this.events.length = 0;
    } else {
      this.events.push({ position: this.position!, data });
    }
    this.sink?.reset(reason, this.position);
  }

  trim(): void {
    this.events.splice(0, this.events.length / 2);
  }

  compare(a: string, b: string): number {
    const [[ofA, numberA], [ofB, numberB]] = [a, b].map((at) => at.split('.').map(Number)) as [
      [number, number],
      [number, number],
    ];
    return ofA - ofB || numberA - numberB;
  }

  async read(position: string | undefined, limit: number): Promise<HistoryPage> {
    await setImmediate();
    const from = position ?? '0.0';
    const oldest = this.events[0];
    const isGone =
      this.compare(from, this.position) < 0 &&
      (!oldest || this.compare(from, oldest.position) < 0) &&
      position !== undefined;
    const after = this.events.filter((event) => this.compare(event.position, from) > 0);
    return {
      events: after.slice(0, limit),
      last: after.length <= limit,
      ...(isGone && { reset: 'trimmed' as const }),
    };
  }

  private get position(): string {
    return this.hasHistory ? `${this.generation}.${this.changes}` : (undefined as never);
  }

  private apply(by: number): Change {
    const key = `k${(this.changes * 7 + by) % KEYS}`;
    const value = ++this.changes;
    this.state[key] = value;
    return { key, value };
  }
}

/** A page that keeps the state of channels, and returns with its id when its connection breaks. */
class Page {
  readonly states = new Map<string, State>();
  snapshots = 0;
  client: RigClient | undefined;
  private taken = 0;

  constructor(
    readonly rig: ClientRig,
    readonly channels: readonly Counters[],
    readonly calls: SnapshotCalls,
  ) {}

  async connect(): Promise<void> {
    const requests = this.channels.map((source) => ({ source, name: source.name }));
    const lastEventId = this.client?.lastEventId;
    this.taken = 0;
    this.client = await this.rig.connect(requests, {
      lastEventId,
      snapshots: new RequestSnapshots(this.calls, {} as never, 100),
    });
  }

  look(): void {
    const { events } = this.client!;
    for (; this.taken < events.length; this.taken++) {
      const { type, data } = events[this.taken]!;
      if (type === 'sse:snapshot') {
        const { channel, state } = JSON.parse(data) as SseSnapshot<State>;
        this.states.set(channel, state);
        this.snapshots++;
      } else if (type === 'message') {
        const { channel, key, value } = JSON.parse(data) as Change & { channel: string };
        (this.states.get(channel) ?? {})[key] = value;
      }
    }
  }
}

type Step =
  | { readonly do: 'change' | 'skip'; readonly channel: number; readonly count: number }
  | { readonly do: 'lose' | 'trim' | 'fail over'; readonly channel: number }
  | { readonly do: 'open'; readonly channels: readonly number[] }
  | { readonly do: 'stall' | 'read on' | 'cut' | 'return'; readonly pick: number }
  | { readonly do: 'answer'; readonly pick: number }
  | { readonly do: 'wait' };

const channel = fc.nat(2);
const pick = fc.nat(1_000);
const steps = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constant('change' as const),
        channel,
        count: fc.integer({ min: 1, max: 12 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('skip' as const),
        channel,
        count: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom('lose', 'trim', 'fail over'), channel }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('open' as const),
        channels: fc.uniqueArray(channel, { minLength: 1 }),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('stall', 'read on', 'cut', 'return'),
        pick,
      }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('answer' as const), pick }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
  ) as fc.Arbitrary<Step>,
  { minLength: 10, maxLength: 60 },
);

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    await setImmediate();
  }
}

class World {
  readonly rig = new ClientRig({ retain: { events: 3, bytes: 100, age: 300_000 } });
  readonly channels: Counters[];
  readonly pages: Page[] = [];
  private readonly answers: (() => void)[] = [];
  private readonly calls: SnapshotCalls;
  private isQuick = false;

  constructor(histories: readonly boolean[]) {
    this.channels = histories.map((hasHistory, index) => new Counters(`c${index}`, hasHistory));
    // The state of some calls is read at once, that of others when they are answered.
    const snapshot = (name: string) => {
      const { state } = this.channels.find((each) => each.name === name)!;
      const early = this.answers.length % 2 === 0 && structuredClone(state);
      return this.isQuick
        ? state
        : new Promise((resolve) =>
            this.answers.push(() => resolve(early || structuredClone(state))),
          );
    };
    this.calls = new SnapshotCalls(snapshot, 'the model', this.rig.delivery);
  }

  async run(step: Step): Promise<void> {
    const page = 'pick' in step ? this.pages[step.pick % this.pages.length] : undefined;
    const counters = 'channel' in step ? this.channels[step.channel]! : undefined;
    switch (step.do) {
      case 'change':
      case 'skip':
        for (let nth = 0; nth < step.count; nth++) {
          counters![step.do](nth);
        }
        break;
      case 'lose':
        counters!.lose(1, 'listener-gap');
        break;
      case 'fail over':
        counters!.lose(2, 'failover');
        break;
      case 'trim':
        counters!.trim();
        break;
      case 'open': {
        const opened = new Page(
          this.rig,
          step.channels.map((index) => this.channels[index]!),
          this.calls,
        );
        await opened.connect();
        this.pages.push(opened);
        break;
      }
      case 'stall':
        page?.client!.stall();
        break;
      case 'read on':
        page?.client!.readOn();
        break;
      case 'cut':
        page?.client!.cut();
        break;
      case 'return':
        if (page?.client!.isClosed) {
          page.look();
          await page.connect();
        }
        break;
      case 'answer':
        this.answers.splice(step.pick % (this.answers.length || 1), 1).forEach((give) => give());
        break;
      default:
        await turns();
    }
    this.pages.forEach((each) => each.look());
  }

  /** Lets everything come to rest: each page is connected, reads, and has its answers. */
  async rest(): Promise<void> {
    this.isQuick = true;
    await until(
      async () => {
        this.answers.splice(0).forEach((give) => give());
        for (const page of this.pages) {
          page.client!.readOn();
          page.look();
          if (page.client!.isClosed) {
            await page.connect();
          }
        }
        await turns();
        this.pages.forEach((page) => page.look());
        return this.pages.every(({ channels, states }) =>
          channels.every(
            ({ name, state }) => JSON.stringify(states.get(name)) === JSON.stringify(state),
          ),
        );
      },
      { deadline: 10_000, every: 0 },
    ).catch(() => undefined);
  }
}

describe('State and later events', () => {
  it('are the final state for each client, whatever is lost, slow or cut meanwhile', async () => {
    await holds(
      fc.asyncProperty(
        fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
        steps,
        async (histories, schedule) => {
          const world = new World(histories);
          for (const step of schedule) {
            await world.run(step);
          }
          await world.rest();
          for (const { channels, states } of world.pages) {
            for (const { name, state } of channels) {
              expect([name, states.get(name)]).toEqual([name, state]);
            }
          }
          world.rig.close();
        },
      ),
      { quick: 150, soak: 10_000 },
    );
  });
});
