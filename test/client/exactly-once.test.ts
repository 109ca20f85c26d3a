import { afterEach, describe, expect, it } from '@jest/globals';
import type { SseClient, SseSubscription } from '../../lib/client/index.js';
import { Random } from '../channel/random.js';
import { RandomCuts } from '../clients/cuts.js';
import { sized } from '../support/soak.js';
import { ADAPTERS } from '../support/start-app.js';
import { until } from '../support/until.js';
import { ClientRig } from './client-rig.js';

const rig = new ClientRig();
afterEach(() => rig.close());

const STEADY = ['steady-1', 'steady-2', 'steady-3'];
const PASSING = Array.from({ length: 8 }, (_, i) => `passing-${i}`);

/** Sends events with rising numbers to all channels. */
class Numbers {
  count = 0;
  private isOver = false;
  private readonly sending: Promise<void>;

  constructor() {
    this.sending = this.send();
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.sending;
  }

  private async send(): Promise<void> {
    while (!this.isOver) {
      this.count++;
      for (const channel of [...STEADY, ...PASSING]) {
        await rig.app.sse.send(channel, `${this.count}`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** The numbers that one subscription has received, and all else that it was told. */
class Received {
  readonly numbers: number[] = [];
  readonly other: string[] = [];
  readonly subscription: SseSubscription;

  constructor(client: SseClient, channel: string) {
    this.subscription = client.subscribe(channel, {
      onEvent: ({ data }) => this.numbers.push(Number(data)),
      onReset: ({ data }) => this.other.push(data.reason),
      onDenied: () => this.other.push('denied'),
      onEnd: () => this.other.push('ended'),
      onError: ({ message }) => this.other.push(message),
    });
  }

  /** What is missing between the first and the last number, and what came more than once or too late. */
  get faults(): { lost: number; twice: number; other: string[] } {
    let lost = 0;
    let twice = 0;
    for (const [i, number] of this.numbers.entries()) {
      const step = i === 0 ? 1 : number - this.numbers[i - 1]!;
      if (step < 1) twice++;
      else lost += step - 1;
    }
    return { lost, twice, other: this.other };
  }
}

const EXACT = { lost: 0, twice: 0, other: [] };

async function changeUnderLoad(
  changes: number,
  seed: number,
  disturb: (change: number) => void = () => undefined,
): Promise<Received[]> {
  const random = new Random(seed);
  const client = rig.client();
  const all = STEADY.map((channel) => new Received(client, channel));
  await until(() => client.status === 'open');
  const numbers = new Numbers();
  const present = new Map<string, Received>();
  for (let change = 0; change < changes; change++) {
    const channel = PASSING[random.below(PASSING.length)]!;
    const one = present.get(channel);
    if (one) {
      one.subscription.close();
      present.delete(channel);
    } else {
      const received = new Received(client, channel);
      present.set(channel, received);
      all.push(received);
    }
    disturb(change);
    const before = numbers.count;
    await until(() => numbers.count >= before + random.below(6), { every: 1 });
  }
  await numbers.stop();
  expect(all.slice(0, STEADY.length).map((one) => one.numbers[0])).toEqual(STEADY.map(() => 1));
  await until(
    () =>
      [...all.slice(0, STEADY.length), ...present.values()].every(
        (one) =>
          one.numbers.at(-1) === numbers.count || one.other.length > 0 || one.numbers.length === 0,
      ),
    { what: `the last events, seed ${seed}` },
  );
  return all;
}

describe('SseClient', () => {
  it.each(ADAPTERS)(
    'loses and repeats nothing in 100 changes under load on %s',
    async (adapter) => {
      await rig.start({ adapter });
      const seed = Math.floor(Math.random() * 2 ** 31);
      const all = await changeUnderLoad(sized({ quick: 100, soak: 2_000 }), seed);
      expect(all.length).toBeGreaterThan(STEADY.length + 40);
      const faulty = all.filter((one) => JSON.stringify(one.faults) !== JSON.stringify(EXACT));
      expect({ seed, faulty: faulty.map((one) => [one.subscription.channel, one.faults]) }).toEqual(
        {
          seed,
          faulty: [],
        },
      );
    },
  );

  it('loses and repeats nothing while its connections are cut at random bytes', async () => {
    await rig.start();
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const cuts = new RandomCuts(seed, sized({ quick: 30, soak: 500 }));
    const all = await changeUnderLoad(sized({ quick: 100, soak: 2_000 }), seed, (change) => {
      if (change === 0) rig.proxy.cutAt(cuts.place);
      if (change % 10 === 5) rig.proxy.cut();
    });
    expect(cuts.made).toBeGreaterThan(0);
    const faulty = all.filter((one) => JSON.stringify(one.faults) !== JSON.stringify(EXACT));
    expect({ seed, faulty: faulty.map((one) => [one.subscription.channel, one.faults]) }).toEqual({
      seed,
      faulty: [],
    });
  });

  it('resumes more channels than an address holds', async () => {
    await rig.start();
    const client = rig.client();
    const names = Array.from({ length: 150 }, (_, i) => `a-channel-with-a-long-name-${i}`);
    const all = names.map((name) => new Received(client, name));
    await until(() => client.status === 'open');
    for (let round = 1; round <= 3; round++) {
      rig.proxy.refuse();
      rig.proxy.cut();
      await rig.streams(0);
      for (const name of names) await rig.app.sse.send(name, `${round}`);
      rig.proxy.accept();
      await until(() => all.every(({ numbers }) => numbers.length >= round));
    }
    expect(all.map(({ numbers }) => numbers)).toEqual(names.map(() => [1, 2, 3]));
  });
});
