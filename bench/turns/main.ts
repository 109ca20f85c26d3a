import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * How long the longest turn of the event loop is when there is much to do at once:
 *
 *   npm run bench:turns                                  this build
 *   npm run bench:turns -- --against .cache/old/index.js   and another one, in the same run;
 *                                                       a copy in this folder shares its packages
 *
 * `--only <text>` runs the cases with that text in their name, and `--scale 0.1` a tenth of each.
 * Node's own work is in the figures: accepting sockets, parsing requests, Nest's router.
 */

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    scale: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const SCALE = Number(values.scale);

class Child {
  private readonly answers: Record<string, unknown>[] = [];
  private waiting: ((answer: Record<string, unknown>) => void) | undefined;
  private readonly process: ChildProcess;
  private isStopped = false;

  constructor(program: 'app' | 'clients', lib = '') {
    this.process = fork(fileURLToPath(new URL(`${program}.js`, import.meta.url)), {
      env: { ...process.env, LIB: lib },
    });
    this.process.on('exit', (code) => {
      if (!this.isStopped) throw new Error(`The program ${program} ended with code ${code}.`);
    });
    this.process.on('message', (answer: Record<string, unknown>) => {
      const { waiting } = this;
      this.waiting = undefined;
      if (waiting) waiting(answer);
      else this.answers.push(answer);
    });
  }

  answer(): Promise<Record<string, unknown>> {
    const ready = this.answers.shift();
    return ready
      ? Promise.resolve(ready)
      : new Promise((resolve) => {
          this.waiting = resolve;
        });
  }

  ask(message: object): Promise<Record<string, unknown>> {
    this.process.send(message);
    return this.answer();
  }

  stop(): void {
    this.isStopped = true;
    this.process.kill('SIGKILL');
  }
}

/** Waits until the clients have received nothing more for a while. */
async function settled(clients: Child): Promise<number> {
  let before = -1;
  for (let quiet = 0; quiet < 4;) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    const { bytes } = (await clients.ask({ do: 'counts' })) as { bytes: number };
    quiet = bytes === before ? quiet + 1 : 0;
    before = bytes;
  }
  return before;
}

interface Case {
  readonly name: string;
  readonly clients: number;
  /** Sent before the clients come; they return from the beginning. */
  readonly before?: { readonly count: number; readonly size: number };
  readonly fill?: number;
  readonly task: { readonly task: string; readonly count?: number; readonly size?: number };
}

const CASES: readonly Case[] = [
  {
    name: '100,000 events to 100 readers',
    clients: 100,
    task: { task: 'send', count: 100_000 * SCALE, size: 100 },
  },
  {
    name: '1 MiB to 1,000 clients',
    clients: 1_000 * SCALE,
    task: { task: 'send', count: 1, size: 1_048_576 },
  },
  { name: 'shutdown with 1,000 clients', clients: 1_000 * SCALE, task: { task: 'close' } },
  {
    name: '10,000 clients that return at once',
    clients: 10_000 * SCALE,
    before: { count: 200, size: 100 },
    task: { task: 'nothing' },
  },
  {
    name: '1,000 channels more at limits.channels',
    clients: 1,
    fill: 100_000 * SCALE,
    task: { task: 'open', count: 1_000 },
  },
];

interface Measured {
  readonly longest: number;
  readonly p99: number;
  readonly cpu: number;
}

/** Milliseconds of the longest turn, of that which 99 % do not exceed, and of CPU for all of it. */
async function run(lib: string, what: Case): Promise<Measured> {
  const app = new Child('app', lib);
  const clients = new Child('clients');
  try {
    const { port } = await app.answer();
    if (what.before) await app.ask({ task: 'send', ...what.before });
    if (what.fill) await app.ask({ task: 'open', count: what.fill });
    const connecting = { do: 'connect', port, count: what.clients };
    if (what.before) {
      // The sockets are open before; the requests come within the measured time.
      const measured = app.ask(what.task);
      await clients.ask({ ...connecting, lastEventId: 'earliest' });
      await measured;
    } else {
      await clients.ask(connecting);
      await settled(clients);
      await app.ask(what.task);
    }
    await settled(clients);
    return (await app.ask({ task: 'longest' })) as unknown as Measured;
  } finally {
    app.stop();
    clients.stop();
  }
}

const ours = new URL('../../lib/index.js', import.meta.url).href;
const builds: [string, string][] = [['this build', ours]];
if (values.against) builds.unshift(['against', pathToFileURL(values.against).href]);

console.log(`The longest turn of the event loop, its 99th percentile, and all CPU time, in ms`);
for (const what of CASES.filter(({ name }) => name.includes(values.only))) {
  const cells: string[] = [];
  for (const [name, lib] of builds) {
    const { longest, p99, cpu } = await run(lib, what);
    cells.push(
      `${name}: ${longest.toFixed(0).padStart(6)} (p99 ${p99.toFixed(0).padStart(4)}, CPU ${cpu.toFixed(0).padStart(6)})`,
    );
  }
  console.log(`${what.name.padEnd(42)} ${cells.join('   ')}`);
}
