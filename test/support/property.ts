import * as fc from 'fast-check';
import { sized } from './soak.js';

/**
 * Checks a property with random values. When it fails, the error tells the seed and the path of
 * the smallest case found: `SEED=1234 CASE=5:0:1 npm test -- <file>` runs that case again.
 *
 * @param runs how many random values are tried. Default: 100, and under SOAK=1 10,000
 * @param examples values that are tried before the random ones, with every seed. Default: none.
 *   What a property has to have reached in the end, it reaches with these: random values need luck
 */
export async function holds<Values>(
  property: fc.IRawProperty<Values>,
  runs: { quick: number; soak: number } = { quick: 100, soak: 10_000 },
  examples: Values[] = [],
): Promise<void> {
  const seed = process.env['SEED'];
  const path = process.env['CASE'];
  await fc.assert(property, {
    numRuns: examples.length + sized(runs),
    examples,
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(path !== undefined && { path, endOnFailure: true }),
    // Set by mutation testing.
    ...(process.env['SHRINK'] === '0' && { endOnFailure: true }),
  });
}
