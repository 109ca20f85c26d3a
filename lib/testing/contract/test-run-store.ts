import type { RunStore } from '../../channel/runs.js';
import type { ContractTest } from './rig.js';
import { addRunFollowCases } from './run-follow-cases.js';
import { addRunLeaseCases } from './run-lease-cases.js';
import { addRunLogCases } from './run-log-cases.js';
import type { AddRunCase } from './run-rig.js';

/** A store of runs, and how a test gets one. */
export interface RunStoreSubject {
  /** Makes another store of the same system, each time, as another instance has it. */
  readonly store: () => RunStore | Promise<RunStore>;
  /** Releases what a store needed, after its `close()`. */
  readonly release?: (store: RunStore) => Promise<void>;
  /** Whether two stores have the same runs. Default: true. */
  readonly isShared?: boolean;
  /** How long a case waits for something to happen, in milliseconds. Default: 10,000. */
  readonly timeout?: number;
}

/**
 * The contract of stores of runs as cases for any test runner.
 *
 * @example
 * ```ts
 * for (const { name, run } of testRunStore({ store: () => new MyBroker(url).openRuns() })) {
 *   it(name, run);
 * }
 * ```
 */
export function testRunStore(subject: RunStoreSubject): readonly ContractTest[] {
  const { isShared = true, timeout = 10_000 } = subject;
  const tests: ContractTest[] = [];
  const inStores = async (run: (one: RunStore, two: RunStore) => Promise<void>): Promise<void> => {
    const one = await subject.store();
    const two = isShared ? await subject.store() : one;
    try {
      await run(one, two);
    } finally {
      for (const store of new Set([one, two])) {
        await store.close();
        await subject.release?.(store);
      }
    }
  };
  const add: AddRunCase = (name, run) => void tests.push({ name, run: () => inStores(run) });
  addRunLogCases(add);
  addRunLeaseCases(add, timeout);
  addRunFollowCases(add, timeout);
  return tests;
}
