// Builds and runs the README's first example from the packed package, in the ways that users do:
//   npm run check:consumers                      all of them
//   npm run check:consumers -- nest-11 webpack   those with these words in their name
import { CASES } from './consumers/cases.mjs';
import { prepare } from './consumers/folders.mjs';

const AT_ONCE = 2;

const words = process.argv.slice(2);
const cases = CASES.filter(({ name }) => words.every((word) => name.includes(word)));
const failed = [];

const started = performance.now();
const tarball = await prepare();
console.log(`packed and installed in ${secondsSince(started)} s`);
const waiting = [...cases];
await Promise.all(Array.from({ length: AT_ONCE }, work));
console.log(
  `\n${cases.length - failed.length} of ${cases.length} passed in ${secondsSince(started)} s`,
);
if (failed.length > 0) console.log(`FAILED: ${failed.join('; ')}`);
if (cases.length === 0 || failed.length > 0) process.exitCode = 1;

async function work() {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { name, run } = next;
    const from = performance.now();
    try {
      const remark = await run(tarball);
      console.log(`✓ ${name} (${secondsSince(from)} s)${remark ? `: ${remark}` : ''}`);
    } catch (error) {
      failed.push(name);
      console.log(`✗ ${name} (${secondsSince(from)} s)\n${error.message}`);
    }
  }
}

function secondsSince(time) {
  return Math.round((performance.now() - time) / 1000);
}
