import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { merge, Subject } from 'rxjs';
import { parseCompositeId } from '../../lib/channel/composite-id.js';
import type { ChannelFeed, ChannelSink, ChannelSource } from '../../lib/channel/source.js';
import type { Overflow } from '../../lib/delivery/overflow.js';
import { ModelSource, type Place } from '../channel/model-source.js';
import { expectNothingWrong, noSightings, Witness, type Sightings } from '../channel/witness.js';
import { holds } from '../support/property.js';
import { soaking } from '../support/soak.js';
import { ClientRig, type ReceivedEvent, type RigClient } from './client-rig.js';
import { REACHING } from './reaching-schedules.js';
import {
  readerSchedule,
  type ChannelShape,
  type Reading,
  type ReaderSchedule,
  type Step,
} from './reader-schedule.js';

/** How many keys the events of a channel have. */
const KEYS = 3;

const textOf = (name: string, number: string, filler: number) =>
  `${name} ${number} ${'x'.repeat(filler)}`;
const placeIn = (data: string): Place => {
  const [generation, number] = data.split(' ')[1]!.split('.').map(Number);
  return { generation: generation!, number: number! };
};

const LATEST: Overflow = {
  latest: ({ data }) => String(placeIn(data as string).number % KEYS),
};

/** A channel of a model source, whose events name it. */
class ModelChannel implements ChannelSource {
  readonly model: ModelSource;

  constructor(
    readonly name: string,
    private readonly shape: ChannelShape,
  ) {
    this.model = new ModelSource(shape.hasHistory);
    this.write(3);
  }

  write(count: number): void {
    this.model.write(Array.from({ length: count }, () => ({})));
    this.model.append();
  }

  open(name: string, sink: ChannelSink): ChannelFeed {
    const { filler } = this.shape;
    const { model } = this;
    const feed = model.open(name, {
      live: (position) => sink.live(position),
      append: (event) => sink.append({ ...event, data: textOf(name, event.data, filler) }),
      reset: (...given) => sink.reset(...given),
    });
    const { history } = feed;
    return {
      close: () => feed.close(),
      ...(history && {
        history: {
          compare: (a, b) => history.compare(a, b),
          read: async (position, limit) => {
            const page = await history.read(position, limit);
            const events = page.events.map((event) => ({
              ...event,
              data: textOf(name, event.data, filler),
            }));
            return { ...page, events };
          },
        },
      }),
    };
  }
}

/** What a client of one channel with `overflow: { latest }` has to be shown. */
class LatestWitness {
  private last: Place | undefined;
  /** The newest event of each key that it was shown. */
  private newest = new Map<number, number>();
  private since: number;

  constructor(
    private readonly source: ModelSource,
    private readonly seen: Sightings,
  ) {
    this.last = source.head;
    this.since = source.head.number;
  }

  event(place: Place): void {
    this.seen.events++;
    if (this.last?.generation === place.generation && place.number <= this.last.number) {
      this.seen.repeated++;
    }
    this.last = place;
    this.newest.set(place.number % KEYS, place.number);
  }

  reset(): void {
    this.last = undefined;
    this.newest = new Map();
    // It was told: what was appended up to now may be missing.
    this.since = this.source.head.number;
  }

  expectAtEnd(): void {
    const { number: head } = this.source.head;
    for (let number = Math.max(this.since, head - KEYS) + 1; number <= head; number++) {
      if (this.newest.get(number % KEYS) !== number) {
        this.seen.lost++;
      }
    }
  }
}

/** A client that comes back with what it received last. */
class ModelClient {
  client: RigClient | undefined;
  private lastEventId: string | undefined;
  private taken = 0;
  private lastEmitted = 0;
  private witnesses: Map<string, Witness | LatestWitness> | undefined;
  /** How the label of each channel is written. */
  private labels: Readonly<Record<string, string>> = {};

  constructor(
    private readonly rig: ClientRig,
    private readonly channels: readonly ModelChannel[],
    readonly reading: Reading,
    private readonly emitted: Subject<unknown>,
    private readonly seen: Sightings,
  ) {}

  async connect(pass: (ms: number) => Promise<void>): Promise<void> {
    const requests = this.channels.map((source) => ({ source, name: source.name }));
    const isLatest = this.reading === 'latest' && requests.length === 1;
    const witness = ({ model }: ModelChannel) =>
      isLatest ? new LatestWitness(model, this.seen) : new Witness(model, this.seen, undefined);
    const isNew = this.lastEventId === undefined;
    const connecting = this.rig.connect(requests, {
      lastEventId: this.lastEventId,
      overflow: isLatest ? LATEST : undefined,
      handler:
        this.reading === 'through a handler'
          ? (events$) => merge(events$, this.emitted)
          : undefined,
    });
    await pass(101);
    this.client = await connecting;
    this.taken = 0;
    const opening = this.client.frames[0]!;
    this.labels = (JSON.parse(opening.data!) as { labels: Record<string, string> }).labels;
    if (isNew || !this.witnesses) {
      this.witnesses = new Map(this.channels.map((each) => [each.name, witness(each)]));
      for (const { name, model } of this.channels) {
        const watching = this.witnesses.get(name)!;
        if (watching instanceof Witness) {
          watching.place = this.placeOf(model, name, opening.id);
        }
      }
    }
    this.look();
  }

  /** Looks at what has come. */
  look(): void {
    const { client } = this;
    if (client) {
      for (; this.taken < client.events.length; this.taken++) {
        this.take(client.events[this.taken]!);
      }
      this.lastEventId = client.lastEventId;
    }
  }

  cut(): void {
    this.look();
    this.client?.cut();
    this.client = undefined;
    this.lastEmitted = 0;
  }

  expectAtEnd(): void {
    expect(this.client!.isClosed).toBe(false);
    this.witnesses!.forEach((witness) => witness.expectAtEnd());
  }

  private take({ type, data, id }: ReceivedEvent): void {
    if (type === 'sse:reset') {
      const { channel, reason } = JSON.parse(data) as { channel: string; reason: string };
      const witness = this.witnesses!.get(channel)!;
      // Who leaves now is not told again. Of several channels another may have to be told yet.
      expect([reason, this.channels.length > 1 || id]).not.toContain(undefined);
      if (witness instanceof Witness) {
        // A position names the channel's last event; without one, nothing is known.
        witness.reset(reason, this.positionIn(channel, id));
      } else {
        this.seen.resets[reason] = (this.seen.resets[reason] ?? 0) + 1;
        witness.reset();
      }
    } else if (data.startsWith('emitted ')) {
      const number = Number(data.split(' ')[1]);
      this.seen.repeated += number <= this.lastEmitted ? 1 : 0;
      this.lastEmitted = number;
    } else {
      this.witnesses!.get(data.split(' ')[0]!)!.event(placeIn(data));
    }
  }

  private placeOf(model: ModelSource, name: string, id: string | undefined): Place | undefined {
    const position = this.positionIn(name, id);
    return position === undefined ? undefined : model.placeOf(position);
  }

  /** The position of a channel in an id, which names the channels where there are several. */
  private positionIn(name: string, id: string | undefined): string | undefined {
    const [label] = Object.entries(this.labels).find(([, each]) => each === name) ?? [];
    return label === undefined || id === undefined ? id : parseCompositeId(id)?.get(label);
  }
}

/** How often what matters beside resets has happened. */
const noCounts = () => ({
  returns: 0,
  stalls: 0,
  cutWhileStalled: 0,
  emitted: 0,
  latest: 0,
  several: 0,
});

const pass = async (ms: number): Promise<void> => {
  await jest.advanceTimersByTimeAsync(ms);
};

async function run({ channels: shapes, retain, steps }: ReaderSchedule, seen: Sightings) {
  const counts = noCounts();
  const rig = new ClientRig({ retain, readyTimeout: 100, linger: 3_600_000 });
  const channels = shapes.map((shape, index) => new ModelChannel(`c${index}`, shape));
  const emitted = new Subject<unknown>();
  for (const channel of channels) {
    // It stays open, whoever comes and goes.
    const log = rig.delivery.channels.acquire(channel, channel.name).log;
    channel.model.headPosition = () => log.headPosition;
    channel.model.noteHead();
  }
  const clients: ModelClient[] = [];
  const of = (pick: number) => clients[pick % (clients.length || 1)];

  const take = async (step: Step): Promise<void> => {
    switch (step.do) {
      case 'write':
        channels[step.channel]!.write(step.count);
        break;
      case 'pass':
        await pass(step.ms);
        break;
      case 'trim':
        channels[step.channel]!.model.trim(step.share);
        break;
      case 'replace':
        channels[step.channel]!.model.replace(step.count);
        break;
      case 'gap':
        channels[step.channel]!.model.reset('listener-gap', true);
        break;
      case 'answering':
        channels[step.channel]!.model.answering = step.how;
        break;
      case 'answer':
        channels.forEach(({ model }) => model.answer());
        break;
      case 'emit':
        emitted.next({ data: `emitted ${++counts.emitted}` });
        break;
      case 'connect': {
        const picked = step.channels.map((index) => channels[index]!);
        const client = new ModelClient(rig, picked, step.reading, emitted, seen);
        counts.latest += step.reading === 'latest' && picked.length === 1 ? 1 : 0;
        counts.several += picked.length > 1 ? 1 : 0;
        clients.push(client);
        await client.connect(pass);
        break;
      }
      case 'stall': {
        const client = of(step.pick)?.client;
        client?.stall();
        counts.stalls += client ? 1 : 0;
        break;
      }
      case 'readOn':
        of(step.pick)?.client?.readOn();
        break;
      case 'cut': {
        const client = of(step.pick);
        counts.cutWhileStalled += client?.client?.response.isStalled ? 1 : 0;
        client?.cut();
        break;
      }
      case 'return': {
        const client = of(step.pick);
        if (client && !client.client) {
          counts.returns++;
          await client.connect(pass);
        }
        break;
      }
      default:
    }
    await pass(1);
    clients.forEach((client) => client.look());
  };

  for (const step of steps) {
    await take(step);
  }
  for (const { model } of channels) {
    model.answering = 'at once';
    model.answer();
  }
  for (const client of clients) {
    if (!client.client) {
      await client.connect(pass);
    }
    client.client!.readOn();
  }
  await pass(20_000);
  for (const client of clients) {
    client.look();
    client.expectAtEnd();
    client.cut();
  }
  expect(rig.delivery.connections.size).toBe(0);
  rig.close();
  return counts;
}

describe('Clients that stall, lose their connection and return', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('get each event of each channel once and in order, or a reset', async () => {
    const seen = noSightings();
    const reached: Record<string, number> = {};
    const aims = new Map(Object.entries(REACHING).map(([aim, schedule]) => [schedule, aim]));
    const missed = new Set(aims.values());
    await holds(
      fc.asyncProperty(readerSchedule, async (schedule) => {
        const own = noSightings();
        const found: Record<string, number> = { ...(await run(schedule, own)), ...own.resets };
        expectNothingWrong(own);
        if (found[aims.get(schedule) ?? '']) {
          missed.delete(aims.get(schedule)!);
        }
        seen.events += own.events;
        for (const [what, count] of Object.entries(found)) {
          reached[what] = (reached[what] ?? 0) + count;
        }
      }),
      { quick: 25, soak: 2_000 },
      Object.values(REACHING).map((schedule) => [schedule]),
    );
    if (soaking) {
      console.log(`readers: ${JSON.stringify({ ...seen, ...reached })}`);
    }
    expect([...missed]).toEqual([]);
    expect(seen.events).toBeGreaterThan(500);
  });
});
