import { expect, it } from '@jest/globals';
import { lastReport, performanceOf, section } from './performance.js';

it("the README's performance is that of docs/bench.json", () => {
  // If not: node --import ./scripts/typescript.mjs test/docs/fill-performance.ts
  expect(section()).toBe(performanceOf(lastReport()));
});
