import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import TestSequencer from '@jest/test-sequencer';

/** Those that take longest, the longest first: at the end one of them would keep the run from ending. */
const LONG = [
  'sample/start-and-stop',
  'redis/keys-elected-processes',
  'event-table/faults',
  'event-table/wake',
  'presence/faults',
  'presence/processes',
  'event-table/failover',
  'redis/keys-elected-topologies',
  'redis/instances',
  'redis/replicas',
  'redis/faults',
  'clients/node-clients',
  'event-table/replaced',
  'event-table/reading',
  'event-table/retention',
  'connections/instances',
  'presence/topologies',
  'postgres/listen-faults',
  'redis/keys-outage',
  'endpoint/interceptors',
  'docs/recipes',
  'docs/code-blocks',
].map((name) => fileURLToPath(new URL(`../../${name}.test.ts`, import.meta.url)));

for (const path of LONG) {
  if (!existsSync(path)) throw new Error(`${path} does not exist. Correct longest-first.mjs.`);
}

/** Begins with the long files; the others as Jest orders them, by what it knows of earlier runs. */
export default class LongestFirst extends TestSequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    const rank = ({ path }) => LONG.indexOf(path) + 1 || LONG.length + 1;
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
