import { expect, it } from '@jest/globals';
import { lastReport, performanceOf, section } from './performance.js';

it("The README's performance numbers are those of docs/bench.json", () => {
  // If not: node --import ./scripts/typescript.mjs test/docs/fill-performance.ts
  expect(section()).toBe(performanceOf(lastReport()));
});
