import type { Broker } from '../../channel/source.js';
import { addOnceCases, type AddBrokerCase } from './once-cases.js';
import { numbered, until, type ContractTest } from './rig.js';
import { inContext, type SourceSubject } from './source-context.js';
import { testSource } from './test-source.js';

/** A broker, and ways to cause what can happen to it. */
export interface BrokerSubject extends Omit<SourceSubject, 'source' | 'write'> {
  /** Makes another broker of the same system, each time. */
  readonly broker: () => Broker | Promise<Broker>;
  /**
   * Whether events of one broker reach the channels of another, as those of several instances do.
   * Default: true.
   */
  readonly isShared?: boolean;
}

/**
 * The contract of brokers, with that of sources, as cases for any test runner.
 *
 * @example
 * ```ts
 * for (const { name, run } of testBroker({ broker: () => new MyBroker(url) })) {
 *   it(name, run);
 * }
 * ```
 */
export function testBroker(subject: BrokerSubject): readonly ContractTest[] {
  const { broker, isShared = true, timeout = 10_000, ...rest } = subject;
  let current: Broker | undefined;
  const tests = [
    ...testSource({
      ...rest,
      timeout,
      source: async () => (current = await broker()),
      write: (channel, data) => current!.publish(channel, { data }),
    }),
  ];
  const add: AddBrokerCase = (name, run) => {
    const brokers = { ...rest, source: broker };
    tests.push({
      name,
      run: () =>
        inContext(brokers, timeout, (one) => inContext(brokers, timeout, (two) => run(one, two))),
    });
  };

  add('resolves with the id under which the event arrives', async ({ rig, source, channel }) => {
    const reader = await rig.read(source, channel);
    const ids = [];
    for (const data of numbered(10)) {
      ids.push(await source.publish(channel, { data }));
    }
    await rig.received(reader, numbered(10));
    const arrived = reader.events.map(({ id }) => id);
    if (arrived.join() !== ids.join()) {
      throw new Error(`publish() gave ${ids.join()}, and the events arrived as ${arrived.join()}.`);
    }
  });

  add('keeps the order of the events of one turn', async ({ rig, source, channel }) => {
    const reader = await rig.read(source, channel);
    await Promise.all(numbered(100).map((data) => source.publish(channel, { data })));
    await rig.received(reader, numbered(100));
  });

  add(
    'carries type, id and retry, and resumes by an id of the publisher',
    async ({ rig, source, channel }) => {
      const reader = await rig.read(source, channel);
      await source.publish(channel, { data: 'event 0', type: 'kind', id: 'own-1', retry: 1_234 });
      await source.publish(channel, { data: 'event 1', type: 'kind', id: 'own-2' });
      await rig.received(reader, numbered(2));
      const [first] = reader.events;
      if (first!.type !== 'kind' || first!.id !== 'own-1' || first!.retry !== 1_234) {
        throw new Error(`The event arrived as ${JSON.stringify(first)}.`);
      }
      const returning = await rig.read(source, channel, 'own-1');
      await rig.received(returning, ['event 1']);
    },
  );

  add('ends a run, and begins another', async ({ rig, source, channel }) => {
    const reader = await rig.read(source, channel);
    await source.publish(channel, { data: 'event 0' });
    await source.publish(channel, { data: '[DONE]', end: true });
    await until(
      () => reader.isComplete,
      () => 'the end of the run did not come',
      timeout,
    );
    const next = await rig.read(source, channel);
    await source.publish(channel, { data: 'event 1' });
    await rig.received(next, ['event 1']);
  });

  if (isShared) {
    add('delivers to other instances, in one order for all', async (one, two) => {
      const { channel } = one;
      const here = await one.rig.read(one.source, channel);
      const there = await two.rig.read(two.source, channel);
      await Promise.all(
        numbered(60).map((data, index) =>
          (index % 2 ? one : two).source.publish(channel, { data }),
        ),
      );
      await until(
        () => here.data.length >= 60 && there.data.length >= 60,
        () => `${here.data.length} and ${there.data.length} of 60 events came`,
        timeout,
      );
      if (here.data.join() !== there.data.join()) {
        throw new Error('Two instances have the events in different orders.');
      }
      if (new Set(here.data).size !== 60) {
        throw new Error('An event came twice.');
      }
    });
  }

  addOnceCases(add, isShared, timeout);
  return tests;
}
