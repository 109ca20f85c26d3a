import { describe, it } from '@jest/globals';
import { MemoryRuns } from '../../lib/sources/memory/memory-runs.js';
import { testRunStore } from '../../lib/testing/index.js';

describe('The store of runs in memory keeps the contract: it', () => {
  for (const { name, run } of testRunStore({ store: () => new MemoryRuns(), isShared: false })) {
    it(name, run);
  }
});
