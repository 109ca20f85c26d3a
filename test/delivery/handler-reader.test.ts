import { describe, expect, it } from '@jest/globals';
import { tap } from 'rxjs';
import { MemoryBroker } from '../../lib/sources/memory/memory-broker.js';
import { until } from '../support/until.js';
import { ClientRig } from './client-rig.js';

/** A client of two channels whose handler passes everything on, and counts it. */
async function connected() {
  const retain = { events: 10_000, bytes: Infinity, age: Infinity };
  const rig = new ClientRig({ retain });
  const source = new MemoryBroker(rig.delivery.channels);
  const passed = { count: 0 };
  const client = await rig.connect(
    ['a', 'b'].map((name) => ({ source, name })),
    { handler: (events$) => events$.pipe(tap(() => passed.count++)) },
  );
  const write = (count: number, filler = ''): void => {
    for (let number = 0; number < count; number++) {
      void source.publish(number % 2 ? 'a' : 'b', { data: `${number} ${filler}` });
    }
  };
  const numbers = () => client.data.map((data) => parseInt(data, 10));
  return { rig, client, passed, write, numbers };
}

describe('A handler', () => {
  it('gets all of many events of one turn, without waiting for a later event', async () => {
    const { rig, write, numbers } = await connected();
    write(1_000);
    await until(() => numbers().length === 1_000);
    expect(numbers()).toEqual(Array.from({ length: 1_000 }, (_, number) => number));
    rig.close();
  });

  it('gets no more than a block for a client that does not read, and later the rest', async () => {
    const { rig, client, passed, write, numbers } = await connected();
    client.stall();
    write(100, 'x'.repeat(9_000));
    await until(() => passed.count > 0);
    for (let turn = 0; turn < 20; turn++) {
      await new Promise(setImmediate);
    }
    expect(passed.count).toBeLessThan(10);
    client.readOn();
    await until(() => numbers().length === 100);
    expect(numbers()).toEqual(Array.from({ length: 100 }, (_, number) => number));
    rig.close();
  });
});
