import { parseArgs } from 'node:util';
import { CASES, QUICK_CASES } from './cases.js';
import { PEERS } from './servers/index.js';
import type { Case } from './cases.js';
import type { PeerName } from './servers/index.js';

export const USAGE = `npm run bench -- [options]
  --quick             small sizes, one round; fails when a client of ours misses or repeats an event
  --case <name>       only cases whose name starts so (may be repeated): ${CASES.map(({ name }) => name).join(', ')}
  --peer <name>       only this peer (may be repeated): ${Object.keys(PEERS).join(', ')}
  --rounds <number>   rounds of which medians are taken (default 5)
  --output <folder>   where bench.json and bench.svg go (default docs; a run of --quick, or of some
                      cases or peers, writes none unless it is given)
`;

export interface Options {
  readonly quick: boolean;
  readonly rounds: number;
  readonly cases: readonly Case[];
  readonly output: string | undefined;
}

/** Reads the command line. Throws an error that says what is allowed. */
export function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true },
      peer: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      output: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new Error(`--rounds is "${values.rounds}"; it must be a whole number from 1 on.`);
  }
  for (const peer of values.peer ?? []) {
    if (!Object.hasOwn(PEERS, peer)) {
      throw new Error(`--peer is "${peer}"; peers are ${Object.keys(PEERS).join(', ')}.`);
    }
  }
  const all = values.quick ? QUICK_CASES : CASES;
  const cases = all
    .filter(({ name }) => values.case?.some((prefix) => name.startsWith(prefix)) ?? true)
    .map((bench) => ({
      ...bench,
      peers: bench.peers.filter((peer: PeerName) => values.peer?.includes(peer) ?? true),
    }))
    .filter(({ peers }) => peers.length > 0);
  if (cases.length === 0) {
    throw new Error(`No case is left. Cases are ${all.map(({ name }) => name).join(', ')}.`);
  }
  return {
    quick: values.quick,
    rounds,
    cases,
    // A part of a report does not take the place of a whole one.
    output: values.output ?? (values.quick || values.case || values.peer ? undefined : 'docs'),
  };
}
