import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { now, payload } from './payload.js';
import { serve } from './protocol.js';
import { loadPeer } from './servers/index.js';
import type { AddressInfo } from 'node:net';
import type { PeerServer } from './servers/peer.js';
import type {
  Memory,
  Published,
  RateOptions,
  SaturateOptions,
  ServerCommands,
  StartOptions,
} from './protocol.js';

/** A turn that nobody acknowledges for so long has lost events. */
const ACK_DEADLINE_MS = 20_000;

/** Linux counts CPU time in ticks of a hundredth of a second. */
const MICROS_PER_TICK = 10_000;

let server: PeerServer;
let channels: string[] = [];
let sequence = 0;
let acknowledged = 0;
let onAck: (() => void) | undefined;

const ackServer = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    acknowledged += bytes.length;
    onAck?.();
  });
});

async function start(options: StartOptions): Promise<ServerCommands['start']['result']> {
  channels = Array.from({ length: options.channels }, (_, index) => `bench${index}`);
  const peer = await loadPeer(options.peer);
  server = await peer.start({ ...options, channels });
  await new Promise<void>((resolve) => ackServer.listen(0, '127.0.0.1', resolve));
  return {
    port: server.port,
    ackPort: (ackServer.address() as AddressInfo).port,
    paths: channels.map((channel) => server.path(channel)),
  };
}

function publishTurn(burst: number): void {
  const time = now();
  const events: string[] = [];
  for (let index = 0; index < burst; index++) events.push(payload(++sequence, time));
  for (const channel of channels) server.publish(channel, events);
}

function cpuMicros(): number {
  if (server.pid === undefined) {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
  const stat = readFileSync(`/proc/${server.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
}

/** Write system calls so far, as Linux counts them, or `undefined` elsewhere. */
function writeCalls(): number | undefined {
  try {
    const io = readFileSync(`/proc/${server.pid ?? 'self'}/io`, 'latin1');
    return Number(/syscw: (\d+)/.exec(io)?.[1]);
  } catch {
    return undefined;
  }
}

/** Resolves with false when the acknowledgement of so many turns does not come in time. */
async function waitForAck(turns: number): Promise<boolean> {
  const deadline = Date.now() + ACK_DEADLINE_MS;
  while (acknowledged < turns && Date.now() < deadline) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, deadline - Date.now()));
      onAck = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  onAck = undefined;
  return acknowledged >= turns;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Measures the time, the CPU and the loop's delay of what `publish` does. */
async function measured(publish: (base: number) => Promise<number>): Promise<Published> {
  const base = acknowledged;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const writesBefore = writeCalls();
  const cpuBefore = cpuMicros();
  const started = now();
  const turns = await publish(base);
  const complete = await waitForAck(base + turns);
  const elapsedMicros = now() - started;
  const cpu = cpuMicros() - cpuBefore;
  const writesAfter = writeCalls();
  delay.disable();
  return {
    turns,
    elapsedMicros,
    cpuMicros: cpu,
    ...(server.pid === undefined ? { loopDelayP99Ms: delay.percentile(99) / 1e6 } : {}),
    ...(writesBefore === undefined || writesAfter === undefined
      ? {}
      : { writes: writesAfter - writesBefore }),
    unacknowledged: complete ? 0 : base + turns - acknowledged,
  };
}

function saturate(options: SaturateOptions): Promise<Published> {
  const { burst, window, durationMs } = options;
  return measured(async (base) => {
    const end = performance.now() + durationMs;
    let turns = 0;
    do {
      publishTurn(burst);
      turns++;
      await nextTurn();
      if (turns >= window && !(await waitForAck(base + turns - window + 1))) break;
    } while (performance.now() < end);
    return turns;
  });
}

function rate({ perSecond, durationMs }: RateOptions): Promise<Published> {
  const turns = Math.round((perSecond * durationMs) / 1_000);
  return measured(async () => {
    const started = performance.now();
    for (let turn = 0; turn < turns; turn++) {
      const wait = started + (turn * 1_000) / perSecond - performance.now();
      // A server that cannot keep the rate publishes one event a turn, as fast as it goes.
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      else await nextTurn();
      publishTurn(1);
    }
    return turns;
  });
}

function memory(): Memory {
  if (server.pid !== undefined) {
    const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
    return { rss: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1_024 };
  }
  for (let pass = 0; pass < 3; pass++) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed, external };
}

serve<ServerCommands>({
  start,
  saturate,
  rate,
  blast: async ({ turns, burst }) => {
    for (let turn = 0; turn < turns; turn++) {
      publishTurn(burst);
      await nextTurn();
    }
    return { turns };
  },
  memory,
  cpu: () => ({ micros: cpuMicros() }),
  stop: async () => {
    ackServer.close();
    await server.stop();
    return undefined;
  },
});
