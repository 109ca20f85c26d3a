import { withProcesses } from './measure.js';
import { median } from './report/median.js';

const CLIENTS = 1_000;
const REPEATS = 9;

/** How long the load is held while the server fills its sockets. */
const HOLD_MS = 250;

/** What the load can read at most, in events per second, by events in each read. */
export interface Calibration {
  readonly burst: number;
  readonly eventsPerSecond: number;
}

/**
 * Measures the load alone: it is held while a server writes one block to each of
 * 1,000 sockets, and then reads them all with nobody else at work. A server that
 * delivers as fast as this would be measured by the load and not by itself.
 */
export function calibrate(bursts: readonly number[]): Promise<Calibration[]> {
  return withProcesses('floor', async (server, load) => {
    const { port, paths } = await server.call('start', {
      peer: 'floor',
      channels: 1,
      filtered: false,
      heartbeat: 0,
      platform: 'express',
      protocol: 'http',
    });
    const protocol = 'http';
    await load.call('connect', { port, protocol, paths, clients: CLIENTS, verify: false });
    const results: Calibration[] = [];
    for (const burst of bursts) {
      const speeds: number[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat++) {
        const events = CLIENTS * burst;
        const held = load.call('hold', { ms: HOLD_MS, events });
        await new Promise((resolve) => setTimeout(resolve, 20));
        await server.call('blast', { turns: 1, burst });
        const { micros } = await held;
        speeds.push((events / micros) * 1e6);
      }
      results.push({ burst, eventsPerSecond: median(speeds) });
    }
    return results;
  });
}
