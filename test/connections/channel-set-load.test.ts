import { Controller, Sse } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BehaviorSubject } from 'rxjs';
import { SseChannel } from '../../lib/index.js';
import type { SseTestClient, SseTestEvent } from '../../lib/testing/index.js';
import { Random } from '../channel/random.js';
import { stopAll } from '../event-table/event-table-rig.js';
import { sized } from '../support/soak.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { byUser, type AppRequest } from './rooms.js';
import { SYSTEMS, type System } from './systems.js';

const CHANNELS = ['a', 'b', 'c', 'd', 'e'];
const USERS = ['ann', 'bob', 'eve'];
/** How often the set of each user changes. */
const changesOn = (system: string) => sized({ quick: system === 'memory' ? 200 : 70, soak: 3_000 });

const sets = new Map<string, BehaviorSubject<string[]>>();

@Controller()
class SetController {
  @Sse('set')
  @SseChannel((request: AppRequest) => sets.get(byUser(request)!)!)
  set() {}
}

/** Whether one position of a source with a history is behind another. */
function isBehind(one: string, other: string): boolean {
  const parts = (text: string) => text.split(/[-.]/).map(BigInt);
  const [ones, others] = [parts(one), parts(other)];
  const differing = ones.findIndex((part, i) => part !== others[i]);
  return differing >= 0 && ones[differing]! > others[differing]!;
}

/** Sends numbered events to all channels, until it is stopped. */
class Publisher {
  /** How many events each channel has. */
  readonly sent = new Map(CHANNELS.map((channel) => [channel, 0]));
  /** The position of each event, in the order of a channel. */
  private readonly positions = new Map(CHANNELS.map((channel) => [channel, [] as string[]]));
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly pauses = new Set<object>();
  private isStopped = false;

  constructor(
    private readonly app: TestApp,
    private readonly random: Random,
  ) {}

  async run(): Promise<void> {
    while (!this.isStopped) {
      for (let i = this.random.below(4); i > 0 && this.pauses.size === 0; i--) {
        this.send(CHANNELS[this.random.below(CHANNELS.length)]!);
      }
      await new Promise(setImmediate);
      if (this.underWay.size > 200) {
        await this.settled();
      }
    }
    await this.settled();
  }

  send(channel: string): void {
    const number = this.sent.get(channel)!;
    this.sent.set(channel, number + 1);
    const sending = this.app.sse.send(channel, `${channel} ${number}`).then((position) => {
      this.positions.get(channel)![number] = position;
      this.underWay.delete(sending);
    });
    this.underWay.add(sending);
  }

  /** Sends nothing while the work is done. All that was sent before has its position. */
  async whileQuiet(work: () => Promise<void>): Promise<void> {
    const pause = {};
    this.pauses.add(pause);
    await this.settled();
    try {
      await work();
    } finally {
      this.pauses.delete(pause);
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.underWay);
  }

  stop(): void {
    this.isStopped = true;
  }

  /** How many events of a channel are at or before a position. */
  countUpTo(channel: string, position: string): number {
    const positions = this.positions.get(channel)!;
    const plain = position.replace(/~next[\w.-]*$/, '');
    const index = positions.indexOf(plain);
    return index >= 0 ? index + 1 : positions.filter((each) => !isBehind(each, plain)).length;
  }
}

/** Reads the stream of one user, and counts. */
class Witness {
  /** The number of the next event of each channel of the set; `undefined` until the first of them. */
  private readonly next = new Map<string, number | undefined>();
  /** Where each channel began: to be compared once the positions of all events are known. */
  private readonly begun: { channel: string; position: string; first: number }[] = [];
  private readonly startedAt = new Map<string, string>();
  /** The number of the next event of each channel when it left the set. */
  private readonly left = new Map<string, number>();
  private client!: SseTestClient;
  private read = 0;
  readonly faults: string[] = [];
  /** How many sets the user was told. */
  told = 0;
  received = 0;
  returns = 0;

  constructor(
    private readonly app: TestApp,
    private readonly publisher: Publisher,
    private readonly user: string,
  ) {}

  get channels(): string[] {
    return [...this.next.keys()].sort();
  }

  async connect(): Promise<void> {
    const lastEventId = this.client?.lastEventId;
    this.client = await this.app.connect('/set', {
      headers: { 'x-user': this.user },
      ...(lastEventId && { lastEventId }),
    });
    this.read = 0;
    this.enter(this.client.opening!);
  }

  async reconnect(whileAway: () => void): Promise<void> {
    await this.client.close();
    this.look();
    this.returns++;
    whileAway();
    await this.connect();
  }

  /** Counts what has come since the last look. */
  look(): void {
    for (; this.read < this.client.events.length; this.read++) {
      const event = this.client.events[this.read]!;
      if (event.type === 'sse:channels') {
        this.told++;
        this.enter(event);
      } else if (event.type === 'message') {
        this.count(event.data);
      } else {
        this.faults.push(`${event.type} ${event.data}`);
      }
    }
  }

  /** Whether it has all events of its channels. */
  hasAll(): boolean {
    this.look();
    return this.channels.every(
      (channel) => this.nextOf(channel) === this.publisher.sent.get(channel),
    );
  }

  knows(set: readonly string[]): boolean {
    this.look();
    return this.channels.join() === [...set].sort().join();
  }

  /** The number of the next event, once all that was sent has its position. */
  nextOf(channel: string): number {
    return (
      this.next.get(channel) ?? this.publisher.countUpTo(channel, this.startedAt.get(channel) ?? '')
    );
  }

  /** Checks that channels came and went exactly when they had these numbers of events. */
  checkChange(
    before: readonly string[],
    set: readonly string[],
    counts: Map<string, number>,
  ): void {
    const changed = CHANNELS.filter((each) => before.includes(each) !== set.includes(each));
    for (const channel of changed) {
      const count = before.includes(channel)
        ? this.left.get(channel)
        : this.publisher.countUpTo(channel, this.startedAt.get(channel)!);
      if (count !== counts.get(channel)) {
        this.faults.push(`${channel} changed at ${count} in place of ${counts.get(channel)}`);
      }
    }
  }

  /** Compares where channels began with the first of their events. */
  checkBeginnings(): void {
    for (const { channel, position, first } of this.begun) {
      const expected = this.publisher.countUpTo(channel, position);
      if (expected !== first) {
        this.faults.push(`${channel} began at ${position}, before ${expected}, with ${first}`);
      }
    }
  }

  private enter({ data, id }: SseTestEvent): void {
    const { channels, labels } = JSON.parse(data) as {
      channels: string[];
      labels: Record<string, string>;
    };
    const positions = new Map(
      id.split(',').map((part) => [labels[part.slice(0, 8)], part.slice(9)]),
    );
    for (const channel of this.channels) {
      if (!channels.includes(channel)) {
        this.left.set(channel, this.nextOf(channel));
        this.next.delete(channel);
      }
    }
    for (const channel of channels) {
      const position = positions.get(channel);
      if (position === undefined) {
        this.faults.push(`${channel} has no position in ${id}`);
      } else if (!this.next.has(channel)) {
        this.next.set(channel, undefined);
        this.startedAt.set(channel, position);
      } else if (this.next.get(channel) !== undefined) {
        // The client has not missed what comes before the position.
        this.begun.push({ channel, position, first: this.next.get(channel)! });
      }
    }
  }

  private count(data: string): void {
    const [channel, text] = data.split(' ') as [string, string];
    const number = Number(text);
    const expected = this.next.get(channel);
    this.received++;
    if (!this.next.has(channel)) {
      this.faults.push(`${data} is of a channel that is not in the set`);
    } else if (expected === undefined) {
      this.begun.push({ channel, position: this.startedAt.get(channel)!, first: number });
    } else if (number !== expected) {
      this.faults.push(`${data} in place of ${expected}`);
    }
    this.next.set(channel, number + 1);
  }
}

describe.each(Object.keys(SYSTEMS))('Sets that change under load, on %s', (name) => {
  let system: System;
  beforeAll(async () => void (system = await SYSTEMS[name]!()), 60_000);
  afterEach(async () => {
    await closeApps();
    await stopAll();
  });
  afterAll(() => system.stop());

  it.each(ADAPTERS)(
    `bring each event of a channel in the set once, and no other, on %s`,
    async (adapter) => {
      const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
      const random = new Random(seed);
      const changes = changesOn(name);
      const app = await startApp({
        adapter,
        controllers: [SetController],
        options: {
          ...system.options,
          client: byUser,
          retain: { events: 1_000_000, bytes: 1e9 },
        },
      });
      const publisher = new Publisher(app, random);
      CHANNELS.forEach((channel) => publisher.send(channel));
      await publisher.settled();
      const witnesses = USERS.map((user) => new Witness(app, publisher, user));
      // Reads all channels all the time: what it has, the instance has.
      sets.set('all', new BehaviorSubject(CHANNELS));
      const all = new Witness(app, publisher, 'all');
      await all.connect();
      const publishing = publisher.run();
      try {
        await Promise.all(
          witnesses.map((witness, i) =>
            change(witness, {
              publisher,
              all,
              user: USERS[i]!,
              random: new Random(seed + i),
              changes,
              isLocal: name === 'memory',
            }),
          ),
        );
      } catch (cause) {
        throw new Error(`SEED=${seed}`, { cause });
      } finally {
        publisher.stop();
        await publishing;
      }
      // At the end everybody has everything.
      witnesses.push(all);
      await until(() => witnesses.every((witness) => witness.hasAll()));
      witnesses.forEach((witness) => witness.checkBeginnings());
      expect({ seed, faults: witnesses.flatMap(({ faults }) => faults) }).toEqual({
        seed,
        faults: [],
      });
      for (const { told, returns, received } of witnesses.slice(0, -1)) {
        expect(told).toBeGreaterThan(changes / 3);
        expect(returns).toBe(changes / 10);
        expect(received).toBeGreaterThan(0);
      }
      // The set of each user is the last one, and nothing else is read.
      const readers = [...sets.values()].reduce((sum, { value }) => sum + value.length, 0);
      expect(app.sse.stats()).toMatchObject({ connections: sets.size, readers });
    },
    120_000,
  );
});

interface Changing {
  readonly publisher: Publisher;
  /** Reads all channels. */
  readonly all: Witness;
  readonly user: string;
  readonly random: Random;
  readonly changes: number;
  /** Whether an event is there as soon as it is sent. */
  readonly isLocal: boolean;
}

/** Changes the set of one user again and again. */
async function change(
  witness: Witness,
  { publisher, all, user, random, changes, isLocal }: Changing,
): Promise<void> {
  const set$ = new BehaviorSubject([CHANNELS[random.below(CHANNELS.length)]!]);
  sets.set(user, set$);
  await witness.connect();
  // Of ten changes, whatever the seed: one with a return, two without load, two that nobody awaits.
  const way = random.deck([
    'return',
    ...Array.from({ length: 2 }, () => 'quiet'),
    ...Array.from({ length: 5 }, () => 'await'),
    ...Array.from({ length: 2 }, () => 'go on'),
  ]);
  const pick = (size: number) => [...CHANNELS].sort(() => random.below(3) - 1).slice(0, size);
  for (let i = 1; i <= changes; i++) {
    // One, many, one, none, many.
    const size = [1, CHANNELS.length, 1, 0, 3][i % 5]!;
    const set = pick(size);
    const emit = (): void => {
      // Sets before the last have no time to be told.
      for (let others = random.below(3); others > 0; others--) {
        set$.next(pick(random.below(CHANNELS.length)));
      }
      set$.next(set);
    };
    const how = way();
    switch (how) {
      case 'return':
        await witness.reconnect(emit);
        break;
      case 'quiet':
        await publisher.whileQuiet(async () => {
          await until(() => witness.hasAll() && all.hasAll());
          emit();
          await until(() => witness.knows(set));
          // Nothing was lost, and nothing comes that was sent before.
          expect(witness.hasAll()).toBe(true);
        });
        break;
      default: {
        const isExact = isLocal && witness.knows(set$.value);
        const before = witness.channels;
        const counts = new Map(publisher.sent);
        emit();
        if (how === 'await') {
          await until(() => witness.knows(set));
          if (isExact) {
            await publisher.settled();
            witness.checkChange(before, set, counts);
          }
        }
      }
    }
  }
  await until(() => witness.knows(set$.value));
  const { received } = witness;
  await until(() => (witness.look(), witness.received > received));
}
