import { performance } from 'node:perf_hooks';
import { Child, LOAD_CORE, SERVER_CORE } from './child.js';
import { median } from './report/median.js';
import type { Case } from './cases.js';
import type { Counts, LoadCommands, Published, ServerCommands } from './protocol.js';
import type { PeerName } from './servers/index.js';

/** The numbers of one run. Which are set depends on the kind of the case. */
export interface Metrics {
  /** Events that clients received, per second. */
  eventsPerSecond?: number;
  /** CPU time of the server per event that a client received, in microseconds. */
  cpuPerEvent?: number;
  /**
   * Events that one write of the server carried. Above the burst, the server sent
   * several turns in one write, and below it, it split them up.
   */
  eventsPerWrite?: number;
  /** From publish to a client's read, in milliseconds. */
  latencyP50?: number;
  latencyP99?: number;
  /** Share of the asked rate that the server kept; below 1 it was overloaded. */
  rateKept?: number;
  /** In milliseconds. */
  loopDelayP99?: number;
  /** Per idle connection, in bytes. */
  heapPerConnection?: number;
  rssPerConnection?: number;
  connectionsPerSecond?: number;
  /** CPU time of the server per stream that it opens, in microseconds. */
  cpuPerOpening?: number;
  /** The same for the first streams of a process, while code is being compiled. */
  cpuPerFirstOpening?: number;
  /** CPU time of the server per stream, from its opening until the server has forgotten it, in microseconds. */
  cpuPerStream?: number;
  /** Share of one core while connections were idle. */
  idleCpu?: number;
  /** Bytes a client received while its connection was idle: that there were heartbeats. */
  idleBytes?: number;
  /** Share of its core that the server used; below 1 something else held it up. */
  serverCpu?: number;
  /** Share of its core that the load used. */
  loadCpu?: number;
}

export interface Run {
  readonly metrics: Metrics;
  /** What is wrong with what the clients received; empty when each received each event once. */
  readonly faults: readonly string[];
}

/**
 * Turns that may be under way at once. One: with more, a server that spreads a
 * flush over several turns of its loop would send two turns in one write, and no
 * longer do the work that the case is about. nginx is published to by another
 * process and never does that; the next turn waits in its socket, so that it is not idle
 * while the publisher learns of the end of the last one.
 */
const WINDOW = 1;
const NCHAN_WINDOW = 2;

/** Events without any arrival for so long are lost. */
const QUIET_MS = 2_000;

/** Connections that are opened before memory is measured, so that code is loaded and compiled. */
const WARM_CONNECTIONS = 200;

/**
 * How often streams are opened until code is compiled, and how often they are opened for the median. After
 * 2,000 streams ours took 1.4 times the CPU of after 10,000, where plain Nest took 1.0 times: there is more to compile.
 */
const COLD_ROUNDS = 20;
const WARM_ROUNDS = 12;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Server = Child<ServerCommands>;
type Load = Child<LoadCommands>;

/** Starts a fresh server and a fresh load for `work`, and ends both whatever happens. */
export async function withProcesses<T>(
  peer: PeerName,
  work: (server: Server, load: Load) => Promise<T>,
): Promise<T> {
  // nchan's server is nginx; its process here only publishes, as a part of the load.
  const server: Server = new Child(
    './server-process.js',
    peer === 'nchan' ? LOAD_CORE : SERVER_CORE,
  );
  const load: Load = new Child('./load.js', LOAD_CORE);
  try {
    const result = await work(server, load);
    await load.call('close');
    await server.call('stop');
    return result;
  } finally {
    await Promise.all([server.end(), load.end()]);
  }
}

/** Measures one case on one peer. */
export function measure(peer: PeerName, bench: Case, verify: boolean): Promise<Run> {
  return withProcesses(peer, async (server, load) => {
    const { port, ackPort, paths } = await server.call('start', {
      peer,
      channels: bench.channels,
      filtered: bench.filtered,
      heartbeat: bench.heartbeat,
      platform: bench.platform,
      protocol: bench.protocol,
    });
    const { protocol } = bench;
    const connect = (clients: number) =>
      load.call('connect', { port, protocol, paths, clients, verify });
    if (bench.kind === 'memory') return measureMemory(server, load, connect, bench);
    if (bench.kind === 'connect') return measureOpening(server, load, connect, bench);
    await connect(bench.clients);
    if (bench.kind === 'idle') return measureIdle(server, load, bench);
    await load.call('acknowledge', { port: ackPort, unit: bench.clients * bench.burst });
    return measureEvents(server, load, bench, peer === 'nchan' ? NCHAN_WINDOW : WINDOW);
  });
}

async function measureEvents(
  server: Server,
  load: Load,
  bench: Case,
  window: number,
): Promise<Run> {
  const { burst, durationMs, clients } = bench;
  const warmUp = await server.call('saturate', { burst, window, durationMs: bench.warmUpMs });
  if (bench.kind === 'latency') {
    const capacity = Math.ceil((bench.perSecond * durationMs * clients) / 1_000);
    await load.call('latencies', { capacity });
  }
  const loadBefore = await load.call('cpu');
  const published =
    bench.kind === 'latency'
      ? await server.call('rate', { perSecond: bench.perSecond, durationMs })
      : await server.call('saturate', { burst, window, durationMs });
  const loadAfter = await load.call('cpu');

  const perClient = (warmUp.turns + published.turns) * burst;
  const counts = await load.call('settle', { events: perClient * clients, quietMs: QUIET_MS });
  const delivered = published.turns * burst * clients;
  const metrics: Metrics = {
    eventsPerSecond: (delivered / published.elapsedMicros) * 1e6,
    cpuPerEvent: published.cpuMicros / delivered,
    serverCpu: published.cpuMicros / published.elapsedMicros,
    loadCpu: (loadAfter.micros - loadBefore.micros) / published.elapsedMicros,
    ...(published.writes ? { eventsPerWrite: delivered / published.writes } : {}),
    ...(published.loopDelayP99Ms === undefined ? {} : { loopDelayP99: published.loopDelayP99Ms }),
  };
  if (bench.kind === 'latency') {
    const { p50Ms, p99Ms } = await load.call('percentiles');
    metrics.latencyP50 = p50Ms;
    metrics.latencyP99 = p99Ms;
    metrics.rateKept = Math.min(1, (durationMs * 1_000) / published.elapsedMicros);
  }
  return { metrics, faults: faultsOf(perClient, counts, published) };
}

function faultsOf(perClient: number, counts: Counts, published: Published): string[] {
  const faults: string[] = [];
  if (counts.least < perClient) faults.push(`a client received ${counts.least} of ${perClient}`);
  if (counts.most > perClient) faults.push(`a client received ${counts.most}, sent ${perClient}`);
  if (counts.lost > 0) faults.push(`${counts.lost} lost`);
  if (counts.duplicates > 0) faults.push(`${counts.duplicates} duplicates`);
  if (counts.closed > 0) faults.push(`${counts.closed} connections closed`);
  if (published.unacknowledged > 0) faults.push(`${published.unacknowledged} turns incomplete`);
  return faults;
}

async function measureMemory(
  server: Server,
  load: Load,
  connect: (clients: number) => Promise<{ elapsedMs: number }>,
  bench: Case,
): Promise<Run> {
  await connect(WARM_CONNECTIONS);
  await sleep(300);
  const before = await server.call('memory');
  const { elapsedMs } = await connect(bench.clients);
  await sleep(1_000);
  const after = await server.call('memory');
  const { closed } = await load.call('settle', { events: 0, quietMs: 0 });
  return {
    metrics: {
      rssPerConnection: (after.rss - before.rss) / bench.clients,
      ...(after.heap === undefined || before.heap === undefined
        ? {}
        : { heapPerConnection: (after.heap - before.heap) / bench.clients }),
      connectionsPerSecond: (bench.clients / elapsedMs) * 1_000,
    },
    faults: closed > 0 ? [`${closed} connections closed`] : [],
  };
}

/** Opens streams and closes them, time and again; the first times the code is cold. */
async function measureOpening(
  server: Server,
  load: Load,
  connect: (clients: number) => Promise<{ elapsedMs: number }>,
  bench: Case,
): Promise<Run> {
  const costs: number[] = [];
  const rates: number[] = [];
  const whole: number[] = [];
  let closed = 0;
  for (let round = 0; round < COLD_ROUNDS + WARM_ROUNDS; round++) {
    const before = await server.call('cpu');
    const { elapsedMs } = await connect(bench.clients);
    costs.push(((await server.call('cpu')).micros - before.micros) / bench.clients);
    rates.push((bench.clients / elapsedMs) * 1_000);
    closed += (await load.call('settle', { events: 0, quietMs: 0 })).closed;
    await load.call('leave');
    // The server learns of it, and forgets the streams.
    await sleep(100);
    whole.push(((await server.call('cpu')).micros - before.micros) / bench.clients);
  }
  return {
    metrics: {
      cpuPerOpening: median(costs.slice(COLD_ROUNDS)),
      cpuPerStream: median(whole.slice(COLD_ROUNDS)),
      cpuPerFirstOpening: costs[0]!,
      connectionsPerSecond: median(rates.slice(COLD_ROUNDS)),
    },
    faults: closed > 0 ? [`${closed} connections closed`] : [],
  };
}

async function measureIdle(server: Server, load: Load, bench: Case): Promise<Run> {
  // What connecting left behind, garbage above all, is not the cost of being idle.
  await server.call('memory');
  await sleep(Math.min(3_000, bench.durationMs));
  const bytesBefore = (await load.call('settle', { events: 0, quietMs: 0 })).bytes;
  const cpuBefore = await server.call('cpu');
  const loadBefore = await load.call('cpu');
  const started = performance.now();
  await sleep(bench.durationMs);
  const cpu = (await server.call('cpu')).micros - cpuBefore.micros;
  const loadCpu = (await load.call('cpu')).micros - loadBefore.micros;
  const elapsedMicros = (performance.now() - started) * 1_000;
  const counts = await load.call('settle', { events: 0, quietMs: 0 });
  const idleBytes = (counts.bytes - bytesBefore) / bench.clients;
  return {
    metrics: { idleCpu: cpu / elapsedMicros, loadCpu: loadCpu / elapsedMicros, idleBytes },
    faults: [
      ...(counts.closed > 0 ? [`${counts.closed} connections closed`] : []),
      ...(idleBytes === 0 ? ['no heartbeat arrived'] : []),
    ],
  };
}
