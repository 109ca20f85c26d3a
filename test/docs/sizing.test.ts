import { expect, it } from '@jest/globals';
import { measurements } from './measurements.js';
import { sizingOf, sizingSection } from './sizing.js';

it('The numbers of docs/operating.md are those that the benchmarks have written', () => {
  // If not: node --import ./scripts/typescript.mjs test/docs/fill-sizing.ts
  expect(sizingSection()).toBe(sizingOf(measurements()));
});
