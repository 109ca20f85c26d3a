import type { Broker } from '../../channel/source.js';
import { fault, numbered, ContractRig, freshChannel, until, type ContractTest } from './rig.js';
import type { SourceSubject } from './source-context.js';
import { testSource } from './test-source.js';

/** A broker, and how to cause what can happen to it. */
export interface BrokerSubject extends Omit<SourceSubject, 'source' | 'write'> {
  /** Makes a broker; each time another one, which publishes to the same system. */
  readonly broker: () => Broker | Promise<Broker>;
  /**
   * Whether what one broker publishes reaches the channels of another, as those of several
   * instances. Default: true.
   */
  readonly isShared?: boolean;
}

/**
 * The contract of brokers, that of sources included, as cases for any test runner.
 *
 * @example
 * ```ts
 * for (const { name, run } of testBroker({ broker: () => new MyBroker(url) })) {
 *   it(name, run);
 * }
 * ```
 */
export function testBroker(subject: BrokerSubject): readonly ContractTest[] {
  const { broker, isShared = true, ...rest } = subject;
  const timeout = subject.timeout ?? 10_000;
  const name = subject.channel ?? freshChannel;
  let current: Broker | undefined;
  const tests = [
    ...testSource({
      ...rest,
      source: async () => (current = await broker()),
      write: (channel, data) => current!.publish(channel, { data }),
    }),
  ];
  const add = (title: string, run: (started: Started) => Promise<void>): void => {
    tests.push({
      name: title,
      run: async () => {
        const started = await start(broker, timeout);
        try {
          await run(started);
        } finally {
          await started.stop();
        }
      },
    });
  };

  add('resolves with the id that the event arrives with', async ({ rig, one }) => {
    const channel = name();
    const reader = await rig.read(one, channel);
    const ids = [];
    for (const data of numbered(10)) {
      ids.push(await one.publish(channel, { data }));
    }
    await rig.received(reader, numbered(10));
    const arrived = reader.events.map(({ id }) => id);
    if (arrived.join() !== ids.join()) {
      throw fault(`publish() gave ${ids.join()}, and the events arrived as ${arrived.join()}.`);
    }
  });

  add('keeps the order of what is published in one turn', async ({ rig, one }) => {
    const channel = name();
    const reader = await rig.read(one, channel);
    await Promise.all(numbered(100).map((data) => one.publish(channel, { data })));
    await rig.received(reader, numbered(100));
  });

  add('carries type, id and retry, and resumes after an own id', async ({ rig, one }) => {
    const channel = name();
    const reader = await rig.read(one, channel);
    await one.publish(channel, { data: 'event 0', type: 'kind', id: 'own-1', retry: 1_234 });
    await one.publish(channel, { data: 'event 1', type: 'kind', id: 'own-2' });
    await rig.received(reader, numbered(2));
    const [first] = reader.events;
    if (first!.type !== 'kind' || first!.id !== 'own-1' || first!.retry !== 1_234) {
      throw fault(`The event arrived as ${JSON.stringify(first)}.`);
    }
    const returning = await rig.read(one, channel, 'own-1');
    await rig.received(returning, ['event 1']);
  });

  add('ends a run, and begins another', async ({ rig, one }) => {
    const channel = name();
    const reader = await rig.read(one, channel);
    await one.publish(channel, { data: 'event 0' });
    await one.publish(channel, { data: '[DONE]', end: true });
    await until(
      () => reader.isComplete,
      () => 'the end of the run has not come',
      timeout,
    );
    const next = await rig.read(one, channel);
    await one.publish(channel, { data: 'event 1' });
    await rig.received(next, ['event 1']);
  });

  if (isShared) {
    add('reaches other instances, in one order for all', async ({ rig, one, two, otherRig }) => {
      const channel = name();
      const [here, there] = [await rig.read(one, channel), await otherRig.read(two, channel)];
      await Promise.all(
        numbered(60).map((data, index) => (index % 2 ? one : two).publish(channel, { data })),
      );
      await until(
        () => here.data.length >= 60 && there.data.length >= 60,
        () => `${here.data.length} and ${there.data.length} of 60 events came`,
        timeout,
      );
      if (here.data.join() !== there.data.join()) {
        throw fault('Two instances have the events in different orders.');
      }
      if (new Set(here.data).size !== 60) {
        throw fault('An event came twice.');
      }
    });
  }

  return tests;
}

interface Started {
  readonly rig: ContractRig;
  readonly otherRig: ContractRig;
  readonly one: Broker;
  readonly two: Broker;
  stop(): Promise<void>;
}

async function start(broker: BrokerSubject['broker'], timeout: number): Promise<Started> {
  const log = { log: drop, warn: drop, error: drop };
  const [one, two] = [await broker(), await broker()];
  const [rig, otherRig] = [new ContractRig(timeout), new ContractRig(timeout)];
  await one.start?.(true, log);
  await two.start?.(true, log);
  return {
    rig,
    otherRig,
    one,
    two,
    async stop() {
      await Promise.all([rig.close(), otherRig.close()]);
      await one.stop?.();
      await two.stop?.();
    },
  };
}

function drop(): void {
  // The log of the broker under test is not looked at.
}
