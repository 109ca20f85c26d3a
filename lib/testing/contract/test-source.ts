import { caseList } from './case-list.js';
import { addFaultCases } from './fault-cases.js';
import { addHistoryCases } from './history-cases.js';
import { addLiveCases } from './live-cases.js';
import type { ContractTest } from './rig.js';
import type { SourceSubject } from './source-context.js';

/**
 * The contract of sources, as cases for any test runner. Each case makes a new source, and reads it
 * through the same core as an application does.
 *
 * @throws Error when `source` or `write` is no function
 *
 * @example
 * ```ts
 * for (const { name, run } of testSource({ source: () => new MySource(url), write })) {
 *   it(name, run);
 * }
 * ```
 */
export function testSource(subject: SourceSubject): readonly ContractTest[] {
  if (typeof subject.source !== 'function' || typeof subject.write !== 'function') {
    throw new Error('testSource() needs the functions `source` and `write`.');
  }
  const tests: ContractTest[] = [];
  const cases = caseList(subject, tests);
  addLiveCases(cases);
  addHistoryCases(cases);
  addFaultCases(cases);
  return tests;
}
