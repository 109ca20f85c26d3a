import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import TestSequencer from '@jest/test-sequencer';

/** Those that take longest, the longest first: at the end one of them would keep the run from ending. */
const LONG = [
  'runs/faults',
  'presence/faults',
  'event-table/faults',
  'redis/cluster',
  'redis/keys-elected-topologies',
  'event-table/wake',
  'redis/faults',
  'docs/recipes',
  'redis/replicas',
  'presence/processes',
  'event-table/failover',
  'event-table/replaced',
  'presence/table',
  'redis/keys-outage',
  'runs/outages',
  'clients/node-clients',
  'connections/disconnect',
  'event-table/retention',
  'sample/start-and-stop',
  'redis/contract',
  'event-table/contract',
  'event-table/reading',
  'redis/keys-elected-processes',
  'presence/topologies',
  'postgres/listen-faults',
  'connections/revalidate',
  'custom-source/contract',
  'redis/keys-elected-faults',
  'event-table/upgrade',
  'runs/topologies',
  'postgres/listen-hostile',
  'sample/endpoints',
  'docs/first-example',
  'redis/instances',
  'connections/instances',
  'postgres/contract',
  'runs/shared-contract',
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
