import type { NewRun, RunStore } from '../../channel/runs.js';
import { until } from './rig.js';
import {
  END,
  nameOf,
  newRun,
  numbered,
  same,
  SHORT_LEASE_MS,
  STOPPED,
  type AddRunCase,
} from './run-rig.js';

/** Cases of leases, and of the time for which a run is kept. */
export function addRunLeaseCases(add: AddRunCase, timeout: number): void {
  add('ends a run as lost only after its lease', async (one, two) => {
    const run = newRun({ lease: SHORT_LEASE_MS });
    await one.begin(run);
    const longer = newRun();
    await one.begin(longer);
    same(await two.end(nameOf(longer), STOPPED, true), false);
    await isOver(two, run);
    same(await two.end(nameOf(run), STOPPED, true), true);
    same(await one.append({ ...nameOf(run), after: 0, chunks: numbered(1) }), 'ended');
    same((await two.find(longer.channel))?.hasEnded, false);
  });

  add('renews the lease by each append', async (one, two) => {
    const run = newRun({ lease: SHORT_LEASE_MS });
    await one.begin(run);
    await isOver(two, run);
    same(await one.append({ ...nameOf(run), after: 0, chunks: [] }), 'appended');
    same((await one.find(run.channel))!.leaseLeft > 0, true);
    await isOver(two, run);
    same(await one.append({ ...nameOf(run), after: 0, chunks: numbered(1) }), 'appended');
    same((await one.find(run.channel))!.leaseLeft > 0, true);
  });

  add('forgets a run some time after its end, and no active one', async (one, two) => {
    const run = newRun({ keep: SHORT_LEASE_MS, lease: SHORT_LEASE_MS });
    await one.begin(run);
    await isOver(two, run);
    same((await two.find(run.channel))?.id, run.id);
    await one.append({ ...nameOf(run), after: 0, chunks: [...numbered(3), END] });
    await until(
      async () => (await two.find(run.channel, run.id)) === undefined,
      () => 'the run was kept',
      timeout,
    );
    same(await two.find(run.channel), undefined);
    same(await two.read(nameOf(run), 0, 10), undefined);
  });

  async function isOver(store: RunStore, { channel, id }: NewRun): Promise<void> {
    await until(
      async () => (await store.find(channel, id))!.leaseLeft <= 0,
      () => 'the lease did not end',
      timeout,
    );
  }
}
